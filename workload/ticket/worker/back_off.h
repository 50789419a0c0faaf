// How long to wait before something is tried again.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace ticket {

// `base`, doubled `times` times, at most `most`.
inline std::chrono::seconds doubled(std::chrono::seconds base, int times, std::chrono::seconds most) {
  return std::min(most, base * (1L << std::clamp(times, 0, 16)));
}

// Between half of it and all of it, so that workers which failed together do not come back together.
// Thread-safe.
inline std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
  thread_local std::mt19937 random{std::random_device{}()};
  return std::chrono::milliseconds(
      std::uniform_int_distribution<long>(time.count() / 2, time.count())(random));
}

}  // namespace ticket
