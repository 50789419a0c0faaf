// What the drivers of pods need of the world around them.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "kube/cri/cri.h"
#include "kube/pods/pod_config.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/state_dir.h"
#include "kube/reading/object_index.h"

namespace flox::kube {

// Everything outlives the driver and may be used from any thread.
struct PodWorld {
  Cri& cri;
  const StateDir& state;
  std::string cgroup_parent, node_name;
  std::function<ObjectIndexPtr()> objects;
  std::function<std::chrono::system_clock::time_point()> now;
  std::function<void()> changed;  // a status has changed

  PodPlace place_of(const PodRecord& pod) const {
    return {state.id(), cgroup_parent, node_name, state.log_dir(pod)};
  }
  UnixTime unix_now() const {
    return std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
  }
};

}  // namespace flox::kube
