#include "node/floxd/pace.h"

#include <algorithm>

namespace flox::node {
namespace {

constexpr auto pace_look_interval = std::chrono::milliseconds(200);
// Whoever waits says so again all the time (FetchQueue), so this need not be long.
constexpr auto hurry_time = std::chrono::seconds(3);

}  // namespace

void Pace::allow(uint64_t bytes, const std::function<bool()>& is_over) {
  std::unique_lock lock(mutex_);
  bool has_turn = false;
  Clock::time_point turn;
  while (!is_over()) {
    const auto now = Clock::now();
    if (now < hurried_until_) return;
    if (urgent_ > 0) {
      changed_.wait_for(lock, pace_look_interval);
      continue;
    }
    if (rate_ == 0) return;
    if (!has_turn) {
      has_turn = true;
      turn = std::max(now, next_);
      next_ = turn + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
                         static_cast<double>(bytes) / static_cast<double>(rate_)));
    }
    if (now >= turn) return;
    changed_.wait_until(lock, std::min(turn, now + pace_look_interval));
  }
}

void Pace::begin() {
  const std::scoped_lock lock(mutex_);
  ++urgent_;
}

void Pace::end() {
  const std::scoped_lock lock(mutex_);
  if (--urgent_ == 0) changed_.notify_all();
}

void Pace::hurry() {
  const std::scoped_lock lock(mutex_);
  hurried_until_ = Clock::now() + hurry_time;
  changed_.notify_all();
}

}  // namespace flox::node
