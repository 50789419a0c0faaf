// floxd's metrics, in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "base/error.h"
#include "store/local_store.h"

namespace flox::node {

// Thread-safe.
class Metrics {
 public:
  void realised(uint64_t paths, uint64_t bytes, double seconds);
  void failed(ErrorKind kind);
  void collected(uint64_t paths, uint64_t bytes, double seconds);
  void collection_failed() { ++collection_failures_; }
  void prepared() { ++prepares_; }
  // Counters, and the gauges as they stand in the store now.
  std::string text(const store::LocalStore& store) const;

 private:
  std::atomic<uint64_t> realises_{0};
  std::atomic<uint64_t> paths_{0};
  std::atomic<uint64_t> bytes_{0};
  std::atomic<uint64_t> milliseconds_{0};
  std::atomic<uint64_t> prepares_{0};
  std::atomic<uint64_t> collections_{0};
  std::atomic<uint64_t> collection_failures_{0};
  std::atomic<uint64_t> collected_paths_{0};
  std::atomic<uint64_t> collected_bytes_{0};
  std::atomic<uint64_t> collected_milliseconds_{0};
  std::array<std::atomic<uint64_t>, 6> failures_{};
};

}  // namespace flox::node
