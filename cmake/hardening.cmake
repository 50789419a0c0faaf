# What makes a memory error harder to use, and builds bit-identical. test/security/hardening.sh and reproducible.sh read
# the programs for it. Included before any target; sanitizers and fuzzers bring their own checks, with which
# _FORTIFY_SOURCE does not mix, so they get the reproducible part only.

# Paths of this directory in debug information and __FILE__ are relative. The build directory stands inside the source
# directory and comes last: the last map that fits counts.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
# ccache makes the same paths relative to build/ itself (CCACHE_BASEDIR in script/lib.sh).
add_compile_options(-ffile-prefix-map=../=./ -ffile-prefix-map=proto/=build/proto/)
# No times and owners in archives.
set(CMAKE_CXX_ARCHIVE_CREATE "<CMAKE_AR> qcD <TARGET> <LINK_FLAGS> <OBJECTS>")
set(CMAKE_CXX_ARCHIVE_FINISH "<CMAKE_RANLIB> -D <TARGET>")
# No library of this build is shared, so no program has to look for one in it.
set(CMAKE_SKIP_RPATH ON)

# The cost, on the shim: 3.0 MB became 3.3 MB, and the private dirty memory of each of ten idle shims 188 kB became 304 kB,
# most of it the pages of tables that a static PIE relocates at its start; starting and ending it takes 0.72 ms of processor
# time for 0.64, the calls of an exec 1.48 ms for 1.43 (three runs, which differ by 0.15). -ftrivial-auto-var-init=zero was
# among the flags then and is left out until it is measured by itself: the workload's kernels have large arrays of locals.
if(NOT FLOX_SANITIZE AND NOT FLOX_FUZZ AND CMAKE_BUILD_TYPE STREQUAL "Release")
  include(CheckCXXCompilerFlag)
  add_compile_options(-fPIE -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  # Of two spellings each processor has one: CET, or pointer authentication and branch targets.
  foreach(flag -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
    string(MAKE_C_IDENTIFIER "HAVE${flag}" known)
    check_cxx_compiler_flag(${flag} ${known})
    if(${known})
      add_compile_options(${flag})
    endif()
  endforeach()
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
  add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
endif()
