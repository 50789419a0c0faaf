// floxd's metrics, in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include "base/error.h"
#include "store/local/local_store.h"

namespace flox::node {

// What a pod can run out of, or be refused for.
enum class Budget {
  identity,      // it is no pod of this node's
  connections,   // too many at once
  message,       // over what the pod socket takes
  requests,      // too many at once
  slow,          // a request that does not arrive, an answer that is not read
  lock_size,     // of one lock
  environments,  // kept for the pod, or for all pods
  locks,         // bytes of their locks
  disk,          // bytes of their closures
  time,          // of one request
  policy,        // pod_install = false
};
inline constexpr size_t budget_count = 11;
const char* to_string(Budget budget) noexcept;

// What pods have now.
struct BudgetUse {
  struct Pod {
    size_t requests = 0;
    size_t environments = 0;
    uint64_t locks = 0;
    uint64_t disk = 0;
  };
  size_t connections = 0;
  Pod all;   // of all pods
  Pod most;  // of any one pod, the most of each
};

// Thread-safe.
class Metrics {
 public:
  void realised(uint64_t paths, uint64_t bytes, double seconds);
  void failed(ErrorKind kind);
  void collected(uint64_t paths, uint64_t bytes, double seconds);
  void collection_failed() { ++collection_failures_; }
  void prepared() { ++prepares_; }
  // A pod, or somebody who is none, was refused something.
  void refused(Budget reason) { ++refusals_.at(static_cast<size_t>(reason)); }
  // Counters, and the gauges as they stand in the store and with the pods now.
  std::string text(const store::LocalStore& store, const BudgetUse& pods) const;

 private:
  std::string pods_text(const BudgetUse& pods) const;
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
  std::array<std::atomic<uint64_t>, budget_count> refusals_{};
};

}  // namespace flox::node
