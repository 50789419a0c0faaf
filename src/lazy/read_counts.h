// What readers of lazy paths have met, since the process began that serves them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace flox::lazy {

// How long reads waited for bytes that were not there, of all paths of a mount. Thread-safe.
struct WaitTimes {
  // Milliseconds; the last class has all that waited longer.
  static constexpr std::array<uint32_t, 12> bounds = {1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 5000, 30'000};

  void add(std::chrono::microseconds took) noexcept {
    const auto bound =
        std::ranges::find_if(bounds, [&](uint32_t most) { return took <= std::chrono::milliseconds(most); });
    ++counts[static_cast<size_t>(bound - bounds.begin())];
    micros += static_cast<uint64_t>(took.count());
  }

  std::array<std::atomic<uint64_t>, bounds.size() + 1> counts{};
  std::atomic<uint64_t> micros{0};  // together
};

// WaitTimes, as another process is told.
struct MountWaits {
  uint64_t server = 0;  // of the process that counts, from zero: another one has another number
  std::array<uint64_t, WaitTimes::bounds.size() + 1> counts{};
  uint64_t micros = 0;  // together
};

// Of one path. Thread-safe.
class ReadCounts {
 public:
  explicit ReadCounts(std::shared_ptr<WaitTimes> of_mount = {}) : of_mount_(std::move(of_mount)) {}

  // A read whose answer took so long; `error`: its errno, or 0.
  void ended(std::chrono::microseconds took, int error) {
    // What is there is answered in the request's own call.
    if (took > std::chrono::microseconds(100)) {
      ++waited;
      waited_micros += static_cast<uint64_t>(took.count());
      if (of_mount_ != nullptr) of_mount_->add(took);
    }
    if (error != 0) ++failed;
  }

  std::atomic<uint64_t> waited{0};         // reads of bytes that were not there
  std::atomic<uint64_t> waited_micros{0};  // together
  std::atomic<uint64_t> failed{0};         // reads that ended with an error

 private:
  const std::shared_ptr<WaitTimes> of_mount_;
};

}  // namespace flox::lazy
