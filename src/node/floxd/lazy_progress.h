// How a closure becomes whole with which containers were started before it was: for the log of their starts,
// after they have ended.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace flox::node {

// What a start began with.
struct LazyBegin {
  uint64_t closure_bytes = 0;  // of the closure, as NARs
  uint64_t missing_bytes = 0;  // of these, of paths that were not in the store
  bool has_profile = false;    // of an earlier start
  uint64_t profile_bytes = 0;  // of files, which the profile had fetched at once
  bool is_published = false;   // the profile: other nodes have recorded it, and the catalog had it
};

// What readers could not get.
struct LazyFailure {
  std::string path;  // store path; empty: all that is not in the page cache
  std::string why;
  std::chrono::system_clock::time_point at{};  // seen first
  uint64_t reads = 0;                          // that got an error; 0: not known
};

// What came of it. Bytes are of files, of the paths that were not in the store.
struct LazyProgressFigures {
  using Clock = std::chrono::system_clock;
  // Since when no reader has waited, before the rest was fetched; the epoch: there is no such time yet.
  Clock::time_point ready_at{};
  uint64_t bytes_at_ready = 0;   // that had come by then
  Clock::time_point whole_at{};  // the epoch: it is not
  uint64_t bytes = 0;            // all
  uint64_t reads_waited = 0, waited_micros = 0;
  std::vector<LazyFailure> failures;  // one for each path
};

// Thread-safe.
class LazyProgress {
 public:
  using Figures = LazyProgressFigures;
  Figures now() const {
    const std::scoped_lock lock(mutex_);
    return figures_;
  }
  // One of a path that has failed before is the same failure, with its newest reason. Of over `most_failures`
  // the others are not kept.
  void failed(LazyFailure failure);
  static constexpr size_t most_failures = 16;
  template <typename Change>
  void change(Change&& change) {
    const std::scoped_lock lock(mutex_);
    change(figures_);
  }

 private:
  mutable std::mutex mutex_;
  Figures figures_;
};

inline void LazyProgress::failed(LazyFailure failure) {
  const std::scoped_lock lock(mutex_);
  std::vector<LazyFailure>& known = figures_.failures;
  const auto same = std::ranges::find(known, failure.path, &LazyFailure::path);
  if (same != known.end()) {
    same->why = std::move(failure.why);
    same->reads = std::max(same->reads, failure.reads);
  } else if (known.size() < most_failures) {
    known.push_back(std::move(failure));
  }
}

}  // namespace flox::node
