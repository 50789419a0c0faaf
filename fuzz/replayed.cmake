# What the programs' own libraries make of inputs of the corpus' kind (test/fuzz/replay.sh). The shim's readers by their sources:
# its library has copies of what the others have.
set(shim_readers launch/bootstrap.cc launch/command_line.cc io/logger_uri.cc runtime/options.cc sandbox/pod_config.cc)
list(TRANSFORM shim_readers PREPEND ${CMAKE_SOURCE_DIR}/src/shim/)
set(shim_messages ${CMAKE_BINARY_DIR}/proto/shim/protocol/task.pb.cc ${CMAKE_BINARY_DIR}/proto/shim/protocol/sandbox.pb.cc)
set_source_files_properties(${shim_messages} PROPERTIES GENERATED TRUE COMPILE_OPTIONS -w)
add_executable(fuzz_replay replay.cc ${shim_readers} ${shim_messages})
add_dependencies(fuzz_replay flox_shim_proto)
target_unity_sources(fuzz_replay TOGETHER ${targets})
flox_cold(fuzz_replay)
target_include_directories(fuzz_replay PRIVATE ${CMAKE_CURRENT_BINARY_DIR} ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/workload)
target_link_libraries(fuzz_replay PRIVATE flox_kubectl flox_kube flox_kube_model flox_server flox_node flox_nri flox_node_images
  flox_policy flox_shared_store flox_imageless flox_oci flox_ttrpc flox_package flox_activation flox_sbom flox_attestation flox_env
  ticket_worker)
set_target_properties(fuzz_replay PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/unit)
