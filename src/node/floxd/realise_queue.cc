#include "node/floxd/realise_queue.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace flox::node {
namespace {

constexpr size_t start_threads = 32;  // each may have a fetcher: MemoryMax of the unit counts them, too
constexpr size_t image_threads = 16;
constexpr size_t pod_threads = 64;  // where pods_requests sets no limit

// For this thread, and for the processes and threads that it starts. Not the idle class of the disk: what is
// claimed here others may come to wait for.
void be_behind(int niceness, bool on_disk) {
  constexpr int ioprio_who_process = 1;
  constexpr int ioprio_lowest = (2 << 13) | 7;  // best-effort
  ::setpriority(PRIO_PROCESS, 0, niceness);
  if (on_disk) ::syscall(SYS_ioprio_set, ioprio_who_process, 0, ioprio_lowest);
}

template <int niceness, bool on_disk>
void be_behind_once() {
  static thread_local const bool done = (be_behind(niceness, on_disk), true);
  static_cast<void>(done);
}

}  // namespace

std::string_view to_string(Lane lane) noexcept {
  switch (lane) {
    case Lane::start:
      return "start";
    case Lane::image:
      return "image";
    case Lane::pod:
      return "pod";
    case Lane::prefetch:
      return "prefetch";
  }
  return "?";
}

RealiseQueue::RealiseQueue(const PodBudgets& pods, const PrefetchSettings& prefetch)
    : lanes_{std::make_unique<FairThreads>(start_threads), std::make_unique<FairThreads>(image_threads),
             std::make_unique<FairThreads>(pods.pods_requests == 0 ? pod_threads : pods.pods_requests,
                                           be_behind_once<5, false>),
             std::make_unique<FairThreads>(prefetch.prefetch_at_once, be_behind_once<10, true>)} {}

void RealiseQueue::stop() {
  for (const auto& lane : lanes_) lane->stop();
}

}  // namespace flox::node
