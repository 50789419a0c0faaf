// The labels that tell Kubernetes what this machine can run.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace flox::node {

// The name that a node has in its cluster unless somebody chose another one.
std::string host_name();

// flox.dev/runtime=installed, flox.dev/cpu-level, and for each CPU feature that package variants are made for
// the guide's label (cpu.feature.node.kubernetes.io/AVX2) and Node Feature Discovery's
// (feature.node.kubernetes.io/cpu-cpuid.AVX2).
std::map<std::string, std::string> labels_of_this_machine();
std::map<std::string, std::string> labels_for(std::string_view cpu_level);

}  // namespace flox::node
