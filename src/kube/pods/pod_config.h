// From a pod to what the container runtime is told: pure functions, apart from asking what this machine is.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "kube/cri/cri.h"
#include "kube/pods/pod_record.h"
#include "kube/reading/object_index.h"

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
  // The place of a subPath of the container's mount of this index (bind_sub_path).
  std::function<std::string(const VolumeMount& mount, size_t index, const std::string& sub_path)> sub_path;
};

// Throws Error, in Kubernetes' own words where it has some, if a variable's source does not exist, if a
// subPathExpr names a variable without a value, if the container must not run as root and would, or must run
// under an AppArmor profile on a machine without AppArmor.
ContainerConfig make_container_config(const PodRecord& pod, const Container& container, unsigned attempt,
                                      const PodPlace& place, const ContainerInputs& inputs);

// Replaces $(NAME) by the variable, leaves unknown names as they are, and turns $$ into $. `missing` is told
// of each name that is unknown or has an empty value.
std::string expand(const std::string& text, const std::vector<std::pair<std::string, std::string>>& variables,
                   const std::function<void(const std::string& name)>& missing = {});

// CPU shares, quota, memory limit and OOM score as the kubelet computes them.
ContainerResources make_resources(const PodSpec& pod, const Resources& resources, int64_t machine_memory);

}  // namespace flox::kube
