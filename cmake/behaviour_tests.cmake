# The behaviour tests: every executable script test/FOLDER/NAME.sh is the test FOLDER/NAME with the label FOLDER. It skips by
# ending with 77. Lines "# ctest: PROPERTY VALUE" among its first ten set further properties, as in
#   # ctest: RESOURCE_LOCK emulator
#   # ctest: COST 300
# Of those that lock `cluster` or `emulator` one at a time runs, beside others; as those with a cluster are the longest row, they
# come before all others. (With PROCESSORS 2 CTest let them wait until there was nothing else left to begin.) COST is the test's
# time in seconds, given where it is more than two minutes: on a machine where CTest has seen none of them yet, those begin first,
# and no long one is left alone at the end.
execute_process(COMMAND find test -mindepth 2 -maxdepth 2 -name *.sh -perm -u+x
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE scripts OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REPLACE "\n" ";" scripts "${scripts}")
list(SORT scripts)
foreach(script ${scripts})
  string(REGEX REPLACE "^test/(.*)\\.sh$" "\\1" name ${script})
  get_filename_component(folder ${name} DIRECTORY)
  add_test(NAME ${name} COMMAND ${CMAKE_SOURCE_DIR}/script/lib/behaviour_test.sh ${CMAKE_SOURCE_DIR}/${script})
  set_tests_properties(${name} PROPERTIES LABELS "behaviour;${folder}" SKIP_RETURN_CODE 77 TIMEOUT 900
    ENVIRONMENT FLOX_BUILD_DIR=${CMAKE_BINARY_DIR})
  set(with_cluster OFF)
  file(STRINGS ${CMAKE_SOURCE_DIR}/${script} lines LIMIT_COUNT 10 REGEX "^# ctest: ")
  foreach(line ${lines})
    string(REGEX MATCH "^# ctest: ([A-Z_]+) (.+)$" found "${line}")
    if(NOT found)
      message(FATAL_ERROR "${script}: '${line}' is not of the form '# ctest: PROPERTY VALUE'")
    endif()
    set_tests_properties(${name} PROPERTIES ${CMAKE_MATCH_1} "${CMAKE_MATCH_2}")
    if(line STREQUAL "# ctest: RESOURCE_LOCK cluster")
      set(with_cluster ON)
    endif()
  endforeach()
  if(with_cluster)
    set_tests_properties(${name} PROPERTIES COST 1000)
  endif()
  # A script that comes, goes or changes its properties is seen at the next build.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${script})
endforeach()
