# The models' arithmetic. Its inner loops are compiled once for each level of processor and chosen when the program
# starts; with TICKET_CPU_LEVEL all of the workload is compiled for one level, and has the loops of that level only.
set(TICKET_CPU_LEVEL "" CACHE STRING
  "Processor that ticket-processor is built for: x86-64-v2, x86-64-v3 or x86-64-v4 (empty: any, chosen at run time)")

# A level with "+" has the instructions that multiply bytes, too: processors have them or not at each level.
set(ticket_levels_x86 x86-64-v2 x86-64-v3 x86-64-v3+vnni x86-64-v4 x86-64-v4+vnni)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(ticket_levels aarch64 aarch64+dotprod)
elseif(TICKET_CPU_LEVEL)
  set(ticket_levels ${ticket_levels_x86})
  list(FILTER ticket_levels INCLUDE REGEX "^${TICKET_CPU_LEVEL}(\\+.*)?$")
  if(NOT ticket_levels)
    message(FATAL_ERROR "TICKET_CPU_LEVEL is \"${TICKET_CPU_LEVEL}\"; known are x86-64-v2, x86-64-v3 and x86-64-v4")
  endif()
else()
  set(ticket_levels ${ticket_levels_x86})
endif()
set(ticket_options_x86-64-v2 -march=x86-64-v2)
set(ticket_options_x86-64-v3 -march=x86-64-v3)
set(ticket_options_x86-64-v3+vnni -march=x86-64-v3 -mavxvnni)
set(ticket_options_x86-64-v4 -march=x86-64-v4)
set(ticket_options_x86-64-v4+vnni -march=x86-64-v4 -mavx512vnni)
set(ticket_options_aarch64 -march=armv8-a)
set(ticket_options_aarch64+dotprod -march=armv8.2-a+dotprod)

if(TICKET_CPU_LEVEL)
  # All but kernels.cc, which must run anywhere: it says so when the processor is too old.
  add_compile_options(-march=${TICKET_CPU_LEVEL})
  set_source_files_properties(model/kernels.cc PROPERTIES COMPILE_OPTIONS -march=x86-64)
endif()

set(kernel_objects)
set(kernel_definitions)
foreach(level ${ticket_levels})
  string(REGEX REPLACE "[-+]" "_" identifier ${level})
  add_library(ticket_kernels_${identifier} OBJECT model/kernels_level.cc)
  target_include_directories(ticket_kernels_${identifier} PRIVATE ${CMAKE_SOURCE_DIR}/workload)
  target_compile_definitions(ticket_kernels_${identifier} PRIVATE TICKET_LEVEL=${identifier} TICKET_LEVEL_NAME="${level}")
  # Always optimised, also for tests of a debug build: sums in the loops are what the tests wait for.
  target_compile_options(ticket_kernels_${identifier} PRIVATE -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math
    ${ticket_options_${level}})
  string(REPLACE "x86_64_" "" short ${identifier})
  string(TOUPPER TICKET_HAS_${short} definition)
  list(APPEND kernel_objects $<TARGET_OBJECTS:ticket_kernels_${identifier}>)
  list(APPEND kernel_definitions ${definition})
endforeach()

ticket_library(compute
  SOURCES model/beam_search.cc model/bert_encoder.cc model/checkpoint.cc model/checkpoint_identity.cc model/decoder.cc
          model/encoder.cc model/linear.cc model/mapped_file.cc model/matrix.cc model/model_config.cc model/packed_weights.cc
          model/pickle.cc model/precision.cc model/prepared_file.cc model/prepared_header.cc model/prepared_writer.cc
          model/safetensors.cc model/sentence_encoder.cc model/sentiment_classifier.cc
          model/summarizer.cc model/tensor.cc model/thread_pool.cc model/torch_file.cc model/zip_directory.cc
          ${kernel_objects}
  LIBS ticket_common ticket_text flox_crypto)
# By itself: the programs for one level of processor bring a choice of their own.
target_sources(ticket_compute PRIVATE model/kernels.cc)
target_compile_definitions(ticket_compute PRIVATE ${kernel_definitions})

flox_test(ticket_compute SOURCES model/checkpoint_test.cc model/compute_test.cc model/format_pages_test.cc
  model/prepared_test.cc LIBS ticket_prepared)

# Runs the models alone, for test/ticket/model_parity.sh and bench/ticket_models.sh.
add_executable(model_run testing/model_run.cc)
target_link_libraries(model_run PRIVATE ticket_compute flox_cli11)
set_target_properties(model_run PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
