// A subPath of a volume as a path that only root can change.
//
// A pod may swap a directory of its volume for a link at any moment, also between our look at a path and the
// runtime's use of it. So, as the kubelet does, what is found is kept by its descriptor and bound to a place
// of the state directory, and the runtime is given that place.
#pragma once

#include <string>

#include "kube/pods/state_dir.h"

namespace flox::kube {

struct SubPath {
  std::string pod_uid, container;
  size_t index = 0;         // of the mount among the container's
  std::string volume_path;  // trusted: nothing on the way to it is a pod's
  std::string sub_path;     // is_descending_path
};

// Gives the place, with the directory made if it is missing. Links are followed as long as they stay within
// the volume. Throws Error(untrusted) if one leads out of it, invalid_input if the path is none.
std::string bind_sub_path(const SubPath& sub_path, const StateDir& state);

// Unmounts everything below a directory. Throws Error if something stays: what is mounted must not be removed
// with the directory.
void unmount_below(const std::filesystem::path& directory);

}  // namespace flox::kube
