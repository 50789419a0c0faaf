// From a pod to what the container runtime is told: pure functions, apart from reading this machine's memory
// size.
#pragma once

#include <map>
#include <string>

#include "kube/cri.h"
#include "kube/object_index.h"
#include "kube/pod_record.h"

namespace flox::kube {

// What the labels of our sandboxes and containers say: whose they are.
inline constexpr const char* state_label = "flox.dev/kube-state";
inline constexpr const char* uid_label = "io.kubernetes.pod.uid";

// Facts of this machine and of the pod's place on it.
struct PodPlace {
  std::string state_id;  // StateDir::id
  std::string
      cgroup_parent;  // of all pods; "/flox-kube" or, for runtimes with systemd cgroups, "flox-kube.slice"
  std::string node_name;
  std::string log_directory;
};

// The cgroup of a pod: PARENT/podUID, or PARENT-podUID.slice below a slice.
std::string pod_cgroup(const std::string& parent, const std::string& uid);

SandboxConfig make_sandbox_config(const PodRecord& pod, const PodPlace& place, unsigned attempt);

struct ContainerInputs {
  const ObjectIndex& objects;
  const std::map<std::string, std::string>& volumes;  // prepare_volumes
  std::string pod_ip;
  ImageInfo image;
};

// Throws Error, in Kubernetes' own words where it has some, if a variable's source does not exist or the
// container must not run as root and would.
ContainerConfig make_container_config(const PodRecord& pod, const Container& container, unsigned attempt,
                                      const PodPlace& place, const ContainerInputs& inputs);

// Replaces $(NAME) by the variable, leaves unknown names as they are, and turns $$ into $.
std::string expand(const std::string& text,
                   const std::vector<std::pair<std::string, std::string>>& variables);

// CPU shares, quota, memory limit and OOM score as the kubelet computes them.
ContainerResources make_resources(const PodSpec& pod, const Resources& resources, int64_t machine_memory);

}  // namespace flox::kube
