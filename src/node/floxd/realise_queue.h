// The queue of all that floxd realises, in four lanes with threads of their own, so that what is less urgent
// holds nothing up. In each lane the namespaces take turns, or the owners of images (fair_threads.h).
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "node/floxd/fair_threads.h"
#include "node/floxd/settings.h"

namespace flox::node {

enum class Lane {
  start,     // containers that start
  image,     // what containerd pulls as images
  pod,       // what pods ask for themselves; less of the CPU
  prefetch,  // what nobody waits for yet; the least of the CPU and of the disk
};
inline constexpr std::array all_lanes{Lane::start, Lane::image, Lane::pod, Lane::prefetch};
std::string_view to_string(Lane lane) noexcept;

// Thread-safe.
class RealiseQueue {
 public:
  RealiseQueue(const PodBudgets& pods, const PrefetchSettings& prefetch);
  FairThreads& operator[](Lane lane) noexcept { return *lanes_.at(static_cast<size_t>(lane)); }
  FairThreads::Use use(Lane lane) const { return lanes_.at(static_cast<size_t>(lane))->use(); }
  // Waits for running work, and drops waiting work. Call it before anything goes that the work uses.
  void stop();

 private:
  std::array<std::unique_ptr<FairThreads>, all_lanes.size()> lanes_;  // by lane
};

}  // namespace flox::node
