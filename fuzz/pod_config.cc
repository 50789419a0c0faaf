// What CRI says of a pod, as a message: nothing of it leads out of the cgroups, and no sysctl to the node.
#include "shim/sandbox/pod_config.h"

#include "fuzz.h"

namespace flox::fuzz::of_pod_config {

void one(std::string_view input) {
  shim::wire::Any any;
  any.set_type_url("runtime.v1.PodSandboxConfig");
  any.set_value(std::string(input));
  shim::PodConfig config;
  if (!accepts([&] { config = shim::PodConfig::decode(any); })) return;
  require(config.cgroup.empty() || config.cgroup.starts_with('/'), "a cgroup is an absolute path");
  require((config.cgroup + "/").find("/../") == std::string::npos, "a cgroup leads nowhere else");
  const auto spec = config.sandbox_spec("/netns");
  for (const auto& [name, value] : spec.sysctls)
    require(spec.has_namespace(oci::namespace_of_sysctl(name)),
            "a sysctl is one of the pod's own namespaces");
}

}  // namespace flox::fuzz::of_pod_config
