#include "store/fetch/progress.h"

#include <algorithm>
#include <cmath>

namespace flox::store {
namespace {

constexpr double rate_memory = 3;  // seconds

}  // namespace

void Progress::begin(uint64_t paths, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  now_.paths_total = paths;
  now_.bytes_total = bytes;
  report(true);
}

void Progress::set_bytes(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  now_.bytes_fetched = std::max(now_.bytes_fetched, bytes);
  report(false);
}

void Progress::path_done(uint64_t decoder_memory) {
  const std::lock_guard lock(mutex_);
  ++now_.paths_done;
  now_.decoder_memory = std::max(now_.decoder_memory, decoder_memory);
  report(true);
}

uint64_t Progress::bytes_fetched() const {
  const std::lock_guard lock(mutex_);
  return now_.bytes_fetched;
}

void Progress::report(bool at_once) {
  const auto time = std::chrono::steady_clock::now();
  if (!report_ || (!at_once && time - last_ < progress_interval)) return;
  last_ = time;
  measure(time);
  report_(now_);
}

// A moving average: what the last `rate_memory` seconds did counts most.
void Progress::measure(std::chrono::steady_clock::time_point time) {
  const double passed = std::chrono::duration<double>(time - measured_).count();
  if (passed < std::chrono::duration<double>(progress_interval).count()) return;
  const double latest = static_cast<double>(now_.bytes_fetched - bytes_then_) / passed;
  const double weight = now_.bytes_per_second == 0 ? 1 : 1 - std::exp(-passed / rate_memory);
  now_.bytes_per_second += weight * (latest - now_.bytes_per_second);
  measured_ = time;
  bytes_then_ = now_.bytes_fetched;
  now_.time_left.reset();
  if (now_.bytes_per_second >= 1 && now_.bytes_total > now_.bytes_fetched)
    now_.time_left = std::chrono::seconds(static_cast<long>(
        std::ceil(static_cast<double>(now_.bytes_total - now_.bytes_fetched) / now_.bytes_per_second)));
}

}  // namespace flox::store
