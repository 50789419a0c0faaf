// A request to stop, and how long there is left to finish what is in hand. Thread-safe.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/os/fd.h"

namespace ticket {

class Stop {
 public:
  explicit Stop(std::chrono::milliseconds grace) : grace_(grace) {}

  // The first request starts the period of grace; a second one ends it at once.
  void request();
  bool requested() const;
  // Whether it was requested at least that long ago.
  bool requested_since(std::chrono::milliseconds time) const;
  // Whether what is in hand must be dropped now.
  bool grace_is_over() const;
  // Waits, at most until a stop is requested; whether it waited the full time.
  bool sleep(std::chrono::milliseconds time);

 private:
  std::chrono::milliseconds grace_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  std::chrono::steady_clock::time_point first_{};
  std::chrono::steady_clock::time_point deadline_{};
};

// While it lives, SIGTERM and SIGINT become stop requests (as PID 1 too, for which the kernel would otherwise
// drop them). Make it before any other thread: threads inherit the blocked signals.
class StopOnSignals {
 public:
  explicit StopOnSignals(Stop& stop);
  ~StopOnSignals();

 private:
  void watch(Stop& stop);
  flox::Fd signals_;
  flox::Pipe wake_;
  std::thread thread_;
};

}  // namespace ticket
