// Counts for RealiseOptions::on_progress.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>

#include "store/fetch/realise_options.h"

namespace flox::store {

// Time between two reports.
inline constexpr auto progress_interval = std::chrono::milliseconds(100);

// Thread-safe.
class Progress {
 public:
  explicit Progress(std::function<void(const RealiseProgress&)> report) : report_(std::move(report)) {}
  // All is known that must be fetched.
  void begin(uint64_t paths, uint64_t bytes);
  // So many bytes have come in all.
  void set_bytes(uint64_t bytes);
  void path_done(uint64_t decoder_memory);
  uint64_t bytes_fetched() const;

 private:
  void report(bool at_once);
  void measure(std::chrono::steady_clock::time_point time);

  mutable std::mutex mutex_;
  RealiseProgress now_;
  std::function<void(const RealiseProgress&)> report_;
  std::chrono::steady_clock::time_point last_;
  std::chrono::steady_clock::time_point measured_ = std::chrono::steady_clock::now();
  uint64_t bytes_then_ = 0;
};

}  // namespace flox::store
