// Whether a pod is still there, from what the node itself shows: its processes, and the directory that the
// kubelet has for it. Neither the API server nor containerd is asked, so it can be told while both are down,
// and what ended while floxd did not run is noticed when it runs again.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "node/kept/kept_pods.h"

namespace flox::node {

enum class AtKubelet {
  present,  // it has the pod's directory: the pod's object is there
  absent,   // it has none, but others
  unknown,  // there is no kubelet, or the pod has no uid
};

struct PodSigns {
  bool runs = false;  // a process of its sandbox, or a container of it is being started
  AtKubelet kubelet = AtKubelet::unknown;
  bool earlier_boot = false;       // its sandbox was made before the machine started
  std::chrono::seconds unseen{0};  // since it ran, as far as this floxd knows
};
// How long a pod without processes may come back with another sandbox, which the kubelet makes when one has
// died.
inline constexpr std::chrono::seconds sandbox_grace = std::chrono::minutes(10);
// After a start of the machine no pod runs: those that the kubelet has will, once it has started them again.
bool is_gone(const PodSigns& signs);

// One thread at a time.
class PodLife {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  // `kubelet`: its root directory, which need not exist.
  explicit PodLife(std::filesystem::path kubelet, Clock clock = std::chrono::steady_clock::now);

  // Keys of those that are gone. `runs`: whether the sandbox of that id does.
  std::vector<std::string> gone(const std::vector<KeptPod>& pods,
                                const std::function<bool(const std::string& sandbox)>& runs);

 private:
  AtKubelet at_kubelet(const KeptPod& pod) const;
  std::filesystem::path kubelet_;
  Clock clock_;
  std::string boot_;
  std::map<std::string, std::chrono::steady_clock::time_point> seen_;  // by key
};

}  // namespace flox::node
