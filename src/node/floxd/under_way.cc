#include "node/floxd/under_way.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"

namespace flox::node {
namespace {

constexpr auto look_interval = std::chrono::milliseconds(250);

// Who cannot be asked is taken to wait still.
bool is_gone(const UnderWay::Gone& gone) {
  try {
    return gone();
  } catch (const std::exception& error) {
    log::warning("looking whether anybody waits: {}", message_of(error));
    return false;
  }
}

[[noreturn]] void nobody_waits() {
  fail(ErrorKind::unavailable, "it was stopped: whoever asked for it has gone");
}

}  // namespace

UnderWay::UnderWay() : watcher_([this] { watch(); }) {}

UnderWay::~UnderWay() {
  {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
  }
  changed_.notify_all();
  watcher_.join();
}

UnderWay::Turn UnderWay::begin(const Work& work, Gone gone) {
  const auto wanted = std::make_shared<const Gone>(std::move(gone));
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopped_) nobody_waits();
    const auto found = works_.find(work);
    if (found == works_.end()) break;
    const std::shared_ptr<Entry> entry = found->second;
    entry->wanted.push_back(wanted);
    const auto is_over = [&] {
      const auto now = works_.find(work);
      return now == works_.end() || now->second != entry;
    };
    while (!changed_.wait_for(lock, look_interval, is_over)) {
      if (!*wanted) continue;
      lock.unlock();
      const bool has_gone = (*wanted)();
      lock.lock();
      if (!has_gone) continue;
      entry->wanted.remove(wanted);
      wait_for_look(lock);
      nobody_waits();
    }
    entry->wanted.remove(wanted);
    wait_for_look(lock);
  }
  const auto entry = std::make_shared<Entry>();
  entry->wanted.push_back(wanted);
  works_.emplace(work, entry);
  changed_.notify_all();
  return {*this, work, entry->stop.get_token()};
}

void UnderWay::end(const Work& work) {
  std::unique_lock lock(mutex_);
  works_.erase(work);
  changed_.notify_all();
  wait_for_look(lock);
}

bool UnderWay::busy(std::initializer_list<Lane> lanes) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::any_of(
      works_, [&](const auto& work) { return std::ranges::find(lanes, work.first.second) != lanes.end(); });
}

void UnderWay::stop() {
  std::vector<std::stop_source> all;
  {
    const std::scoped_lock lock(mutex_);
    stopped_ = true;
    for (const auto& [work, entry] : works_) all.push_back(entry->stop);
  }
  for (auto& source : all) source.request_stop();
  changed_.notify_all();
}

// Nobody is asked, and nothing is stopped, under the mutex: both may take a moment.
void UnderWay::watch() {
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (works_.empty())
      changed_.wait(lock, [&] { return ended_ || !works_.empty(); });
    else
      changed_.wait_for(lock, look_interval, [&] { return ended_; });
    using Wanted = decltype(Entry::wanted);
    std::vector<std::pair<std::shared_ptr<Entry>, Wanted>> entries;
    for (const auto& [work, entry] : works_) entries.emplace_back(entry, entry->wanted);
    looking_ = true;
    lock.unlock();
    std::erase_if(entries, [](const auto& entry) {
      return !std::ranges::all_of(entry.second, [](const auto& gone) { return *gone && is_gone(*gone); });
    });
    lock.lock();
    looking_ = false;
    changed_.notify_all();
    std::vector<std::stop_source> stopping;
    for (const auto& [entry, wanted] : entries)
      if (entry->wanted == wanted) stopping.push_back(entry->stop);  // nobody has come meanwhile
    lock.unlock();
    for (auto& source : stopping) source.request_stop();
    lock.lock();
  }
}

}  // namespace flox::node
