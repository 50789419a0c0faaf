// Garbage collection by floxd, when little space is free on the store's file system.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "node/floxd/config.h"
#include "node/floxd/environments.h"
#include "node/floxd/metrics.h"

namespace flox::node {

// Checks the free space every few seconds, in a thread with the lowest priority for CPU and disk. Below
// gc_min_free it collects until gc_target_free, longest unused paths first. While environments are being
// realised it pauses between its batches, unless the disk is almost full.
class Collector {
 public:
  // `give_way`: lets go of what need not be kept; called when collecting has not freed enough. True if there
  // was anything: then it collects once more.
  Collector(const Config& config, const Environments& environments, Metrics& metrics,
            std::function<bool()> give_way);
  // Ends a collection at its next batch.
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

 private:
  void run();
  void look();
  void collect(uint64_t bytes);
  bool wait_for_realises();

  const Config& config_;
  const Environments& environments_;
  Metrics& metrics_;
  const std::function<bool()> give_way_;
  uint64_t free_after_last_ = 0;  // bytes; 0: no collection yet
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace flox::node
