#include "node/kept/pod_life.h"

#include <unistd.h>

#include "base/error.h"

namespace flox::node {

bool is_gone(const PodSigns& signs) {
  if (signs.runs) return false;
  switch (signs.kubelet) {
    case AtKubelet::present:
      return !signs.earlier_boot && signs.unseen >= sandbox_grace;
    case AtKubelet::absent:
      return true;
    case AtKubelet::unknown:
      return !signs.earlier_boot || signs.unseen >= sandbox_grace;
  }
  return true;
}

PodLife::PodLife(std::filesystem::path kubelet, Clock clock)
    : kubelet_(std::move(kubelet)), clock_(std::move(clock)), boot_(boot_id()) {}

AtKubelet PodLife::at_kubelet(const KeptPod& pod) const {
  const std::filesystem::path pods = kubelet_ / "pods";
  if (!is_file_name(pod.uid) || ::access(pods.c_str(), X_OK) != 0) return AtKubelet::unknown;
  return ::access((pods / pod.uid).c_str(), F_OK) == 0 ? AtKubelet::present : AtKubelet::absent;
}

std::vector<std::string> PodLife::gone(const std::vector<KeptPod>& pods,
                                       const std::function<bool(const std::string& sandbox)>& runs) {
  const auto now = clock_();
  std::map<std::string, std::chrono::steady_clock::time_point> seen;
  std::vector<std::string> keys;
  for (const KeptPod& pod : pods) {
    const std::string key = pod.key();
    const bool is_running = runs(pod.sandbox);
    const auto before = seen_.find(key);
    const auto last = is_running || before == seen_.end() ? now : before->second;
    const PodSigns signs{.runs = is_running,
                         .kubelet = is_running ? AtKubelet::unknown : at_kubelet(pod),
                         .earlier_boot = pod.boot != boot_,
                         .unseen = std::chrono::duration_cast<std::chrono::seconds>(now - last)};
    if (is_gone(signs))
      keys.push_back(key);
    else
      seen.emplace(key, last);
  }
  seen_ = std::move(seen);
  return keys;
}

}  // namespace flox::node
