// Whether the pods are still there for which something is fetched: a pod that is deleted loses the processes
// of its sandbox first, while its containers' environments may still be on their way.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace flox::node {

enum class Presence {
  unseen,  // none of its processes was seen: under plain ctr a container is a sandbox of its own
  runs,
  ended,
};

// Thread-safe. Looks through /proc at most every two seconds, for all together.
class PodPresence {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  // Those of the sandboxes that have processes.
  using Running = std::function<std::set<std::string>(const std::set<std::string>&)>;
  PodPresence();
  PodPresence(Running running, Clock clock) : running_(std::move(running)), clock_(std::move(clock)) {}

  // As it was two seconds ago at the earliest. The first time that a sandbox is asked about it is looked at;
  // one that nobody asks about for a minute is forgotten.
  Presence of(const std::string& sandbox);

 private:
  struct Known {
    Presence presence = Presence::unseen;
    std::chrono::steady_clock::time_point asked;
  };
  void look(std::chrono::steady_clock::time_point now);  // under the mutex

  const Running running_;
  const Clock clock_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;
  std::chrono::steady_clock::time_point looked_;
};

}  // namespace flox::node
