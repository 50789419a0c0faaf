#include "node/floxd/pod_presence.h"

#include "node/floxd/containers.h"

namespace flox::node {
namespace {

constexpr auto presence_interval = std::chrono::seconds(2);
constexpr auto presence_memory = std::chrono::minutes(1);

}  // namespace

PodPresence::PodPresence() : PodPresence(ids_of_running_processes, std::chrono::steady_clock::now) {}

Presence PodPresence::of(const std::string& sandbox) {
  const auto now = clock_();
  const std::scoped_lock lock(mutex_);
  const auto [entry, is_new] = known_.try_emplace(sandbox);
  entry->second.asked = now;
  if (is_new || now - looked_ >= presence_interval) look(now);
  return entry->second.presence;
}

void PodPresence::look(std::chrono::steady_clock::time_point now) {
  looked_ = now;
  std::erase_if(known_, [&](const auto& known) { return now - known.second.asked > presence_memory; });
  std::set<std::string> sandboxes;
  for (const auto& [sandbox, known] : known_) sandboxes.insert(sandbox);
  const std::set<std::string> running = running_(sandboxes);
  for (auto& [sandbox, known] : known_) {
    if (running.contains(sandbox))
      known.presence = Presence::runs;
    else if (known.presence == Presence::runs)
      known.presence = Presence::ended;
  }
}

}  // namespace flox::node
