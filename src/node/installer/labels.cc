#include "node/installer/labels.h"

#include <unistd.h>

#include "catalog/cpu_level.h"

namespace flox::node {

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::map<std::string, std::string> labels_of_this_machine() { return labels_for(catalog::cpu_level()); }

std::map<std::string, std::string> labels_for(std::string_view cpu_level) {
  std::map<std::string, std::string> labels = {{"flox.dev/runtime", "installed"},
                                               {"flox.dev/cpu-level", std::string(cpu_level)}};
  struct Feature {
    const char* level;       // the variants that need it
    const char* guide_name;  // cpu.feature.node.kubernetes.io/…
    const char* nfd_name;    // feature.node.kubernetes.io/cpu-cpuid.…
  };
  for (const Feature& feature :
       {Feature{"x86-64-v3", "AVX2", "AVX2"}, Feature{"x86-64-v4", "AVX512", "AVX512F"}}) {
    if (catalog::variant_rank(feature.level, cpu_level) < 0) continue;
    labels[std::string("cpu.feature.node.kubernetes.io/") + feature.guide_name] = "true";
    labels[std::string("feature.node.kubernetes.io/cpu-cpuid.") + feature.nfd_name] = "true";
  }
  return labels;
}

}  // namespace flox::node
