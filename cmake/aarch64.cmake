# Toolchain file of the preset aarch64: Debian's cross compiler, the libraries of script/arm64-sysroot (FLOX_ARM64_SYSROOT in the
# environment), and qemu-user for the programs that the build itself runs and for the unit tests.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(FLOX_ARM64_SYSROOT "$ENV{FLOX_ARM64_SYSROOT}" CACHE PATH "What script/arm64-sysroot prints")
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FLOX_ARM64_SYSROOT)
set(sysroot ${FLOX_ARM64_SYSROOT})
if(NOT IS_DIRECTORY "${sysroot}/usr/lib/aarch64-linux-gnu")
  message(FATAL_ERROR "FLOX_ARM64_SYSROOT is \"${sysroot}\", which has no libraries for aarch64; set it to what script/arm64-sysroot prints")
endif()
set(CMAKE_SYSROOT ${sysroot})
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_FIND_ROOT_PATH ${sysroot})
# protoc and its plugin are this machine's; libraries and headers are never.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${sysroot})
set(ENV{PKG_CONFIG_LIBDIR} ${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig:${sysroot}/usr/share/pkgconfig)
find_program(FLOX_QEMU_AARCH64 qemu-aarch64 REQUIRED)
set(CMAKE_CROSSCOMPILING_EMULATOR ${FLOX_QEMU_AARCH64} -L ${sysroot})
# g++ finds a mold that is for its own target alone.
set(MOLD "" CACHE FILEPATH "")
# As it is by default on x86-64: code and data in pages of their own. Without it ld puts all of a large program into one segment that
# can be written and run.
set(CMAKE_EXE_LINKER_FLAGS_INIT -Wl,-z,separate-code)
