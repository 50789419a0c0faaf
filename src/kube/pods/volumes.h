// A pod's volumes as directories and files of this machine, made before its first container starts.
#pragma once

#include <map>
#include <string>

#include "kube/pods/pod_record.h"
#include "kube/pods/state_dir.h"
#include "kube/reading/object_index.h"

namespace flox::kube {

// Where each volume of the pod is, by the volume's name. Makes what is missing and leaves what is there, so
// that a pod's emptyDir outlives its containers. emptyDirs and claims are writable by everyone (0777), or,
// with an fsGroup, by the group, which new files inherit (setgid), as Kubernetes has it. Throws
// Error(not_found) with Kubernetes' own words for a claim, ConfigMap, Secret or key that does not exist.
std::map<std::string, std::string> prepare_volumes(const PodRecord& pod, const ObjectIndex& objects,
                                                   const StateDir& state);

// Unmounts and removes the pod's own volumes. Claims stay.
void remove_volumes(const std::string& pod_uid, const StateDir& state);

}  // namespace flox::kube
