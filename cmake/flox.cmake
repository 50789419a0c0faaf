# Helpers for the layers' CMakeLists.txt.

# The manual pages and the shells' completions of a program, where man(1) and bash-completion look for them beside build/bin.
function(flox_manual program)
  add_custom_command(TARGET ${program} POST_BUILD COMMAND ${program} manual ${CMAKE_BINARY_DIR}/share)
endfunction()

# A static library flox_NAME from SOURCES; LIBS are linked publicly. UNITY: its sources are compiled several at a time, those of
# a folder together, TOGETHER: those of all folders, so a program that needs one of them gets the others of its file, too.
# MOST: see unity.cmake.
function(flox_library name)
  cmake_parse_arguments(A "UNITY;TOGETHER" "MOST" "SOURCES;LIBS" ${ARGN})
  if(A_MOST)
    set(most MOST ${A_MOST})
  endif()
  add_library(flox_${name} STATIC)
  if(A_TOGETHER)
    target_unity_sources(flox_${name} TOGETHER ${most} ${A_SOURCES})
  elseif(A_UNITY)
    target_unity_sources(flox_${name} ${most} ${A_SOURCES})
  else()
    target_sources(flox_${name} PRIVATE ${A_SOURCES})
  endif()
  target_link_libraries(flox_${name} PUBLIC ${A_LIBS})
endfunction()

# What runs once a command and no measurement looks at: -O1 takes the compiler a fifth less time than -O2.
function(flox_cold)
  foreach(target ${ARGN})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-O1>)
  endforeach()
endfunction()

# A unit test program NAME_test from SOURCES and from every FILE_test.cc below the FOLDERS; without either, from every one below
# this directory. Each of its cases is a test unit/NAME/SUITE.CASE with the labels unit and NAME. The sources are compiled several
# at a time (unity.cmake, TOGETHER).
include(GoogleTest)
add_custom_target(unit_tests)
function(flox_test name)
  cmake_parse_arguments(A "" "" "FOLDERS;SOURCES;LIBS" ${ARGN})
  if(NOT A_FOLDERS AND NOT A_SOURCES)
    set(A_FOLDERS .)
  endif()
  foreach(folder ${A_FOLDERS})
    file(GLOB_RECURSE found RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} CONFIGURE_DEPENDS ${folder}/*_test.cc)
    list(APPEND A_SOURCES ${found})
  endforeach()
  add_executable(${name}_test)
  # Only those that read this directory see its name: elsewhere it would make every object differ from checkout to checkout.
  foreach(source ${A_SOURCES})
    file(STRINGS ${source} reads_sources REGEX "FLOX_SOURCE_DIR|testing/format_page\\.h" LIMIT_COUNT 1)
    if(reads_sources)
      target_sources(${name}_test PRIVATE ${source})
      set_source_files_properties(${source} PROPERTIES COMPILE_DEFINITIONS FLOX_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
      list(REMOVE_ITEM A_SOURCES ${source})
    endif()
  endforeach()
  target_unity_sources(${name}_test TOGETHER ${A_SOURCES})
  flox_cold(${name}_test)
  target_link_libraries(${name}_test PRIVATE ${A_LIBS} GTest::gmock GTest::gtest_main)
  set_target_properties(${name}_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
  gtest_discover_tests(${name}_test TEST_PREFIX unit/${name}/ DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
    PROPERTIES LABELS "unit;${name}" TIMEOUT 600)
  add_dependencies(unit_tests ${name}_test)
endfunction()

# C++ from .proto files, as a static library flox_NAME. LITE protos link protobuf-lite only. The services of the files
# SERVICES get typed stubs for ttrpc, FILE.ttrpc.h; such a file need not be among PROTOS if it has no messages.
# SOURCES_ONLY: flox_NAME only writes the files, for a target that compiles them with options of its own.
function(flox_proto name)
  cmake_parse_arguments(A "LITE;SOURCES_ONLY" "" "PROTOS;SERVICES" ${ARGN})
  set(generated "")
  foreach(proto ${A_PROTOS})
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(out ${CMAKE_BINARY_DIR}/proto/${stem}.pb)
    add_custom_command(
      OUTPUT ${out}.cc ${out}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_BINARY_DIR}/proto
      COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src --cpp_out=${CMAKE_BINARY_DIR}/proto ${CMAKE_SOURCE_DIR}/src/${relative}
      DEPENDS ${CMAKE_SOURCE_DIR}/src/${relative})
    list(APPEND generated ${out}.cc ${out}.h)
  endforeach()
  foreach(proto ${A_SERVICES})
    file(RELATIVE_PATH relative ${CMAKE_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${relative})
    set(out ${CMAKE_BINARY_DIR}/proto/${stem})
    get_filename_component(directory ${out} DIRECTORY)
    add_custom_command(
      OUTPUT ${out}.ttrpc.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${directory}
      COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src --include_imports --descriptor_set_out=${out}.descriptors ${CMAKE_SOURCE_DIR}/src/${relative}
      COMMAND ttrpc_stubs ${out}.descriptors ${relative} ${out}.ttrpc.h
      DEPENDS ttrpc_stubs ${CMAKE_SOURCE_DIR}/src/${relative} ${A_PROTOS})
    list(APPEND generated ${out}.ttrpc.h)
  endforeach()
  if(A_SOURCES_ONLY)
    add_custom_target(flox_${name} DEPENDS ${generated})
    return()
  endif()
  add_library(flox_${name} STATIC)
  set(runtime protobuf::libprotobuf)
  if(A_LITE)
    set(runtime protobuf::libprotobuf-lite)
  endif()
  target_link_libraries(flox_${name} PUBLIC ${runtime})
  target_include_directories(flox_${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR}/proto)
  target_compile_options(flox_${name} PRIVATE -w)
  foreach(file ${generated})
    if(file MATCHES "\\.cc$")
      target_sources(flox_${name} PRIVATE ${file})
    else()
      target_sources(flox_${name} PUBLIC ${file})
    endif()
  endforeach()
endfunction()
