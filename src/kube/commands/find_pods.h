// The pods that a command names.
#pragma once

#include <string>
#include <vector>

#include "kube/commands/session.h"
#include "kube/pods/pod_status.h"

namespace flox::kube {

// The pods of status.json, of the session's namespace if one is given.
std::vector<PodStatus> all_pods(const Session& session);
// One pod by "NAME", "pod/NAME" or, any of its pods, "deployment/NAME". Throws Error(not_found,
// invalid_input).
PodStatus find_pod(const Session& session, const std::string& target);
// All pods of a target: one by its name, all of a workload. Throws as above.
std::vector<PodStatus> find_pods(const Session& session, const std::string& target);
// One of the pod's containers by name; without a name the annotated default or the first. Throws
// Error(not_found).
const ContainerStatus& find_container(const PodStatus& pod, const std::string& name);

}  // namespace flox::kube
