// The labels that Kubernetes should know of this machine.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace flox::node {

// flox.dev/runtime=installed, flox.dev/cpu-level, and for each CPU feature that package variants are made for
// the guide's label (cpu.feature.node.kubernetes.io/AVX2) and Node Feature Discovery's
// (feature.node.kubernetes.io/cpu-cpuid.AVX2).
std::map<std::string, std::string> labels_of_this_machine();
std::map<std::string, std::string> labels_for(std::string_view cpu_level);

}  // namespace flox::node
