// The queue of pods' requests: it limits concurrent requests per pod, keeps the others in the order of
// arrival, and gives them to a lane of the node's queue (realise_queue.h) in its tenant's turn.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "node/floxd/fair_threads.h"
#include "node/floxd/metrics.h"
#include "node/floxd/settings.h"

namespace flox::node {

// Thread-safe.
class PodQueue {
 public:
  // All must outlive it; `threads` are stopped before it goes.
  PodQueue(const PodBudgets& limits, FairThreads& threads, Metrics& metrics)
      : limits_(limits), metrics_(metrics), threads_(threads) {}

  // Runs `work` on a thread of the queue; returns what it returns and throws what it throws. Throws
  // StatusError: RESOURCE_EXHAUSTED at once if too many of the pod's requests wait already, DEADLINE_EXCEEDED
  // after the time limit of a request. Work that has begun continues then, and counts as the pod's until its
  // end.
  template <typename Result>
  boost::asio::awaitable<Result> run(std::string pod, std::string tenant, std::function<Result()> work) {
    auto result = std::make_shared<std::optional<Result>>();
    std::function<void()> keeping = [result, work = std::move(work)] { result->emplace(work()); };
    co_await run_to_end(std::move(pod), std::move(tenant), std::move(keeping));
    co_return std::move(**result);
  }

  // Requests at work or waiting: of all pods, and of the pod with most.
  std::pair<size_t, size_t> requests() const;

 private:
  boost::asio::awaitable<void> run_to_end(std::string pod, std::string tenant, std::function<void()> work);

  struct Job;
  struct Pod {
    size_t running = 0;
    std::deque<std::shared_ptr<Job>> waiting;
  };
  void add(const std::string& pod, const std::shared_ptr<Job>& job);
  void start(const std::string& pod, const std::shared_ptr<Job>& job);
  void ended(const std::string& pod);

  const PodBudgets& limits_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::map<std::string, Pod> pods_;  // those with requests
  FairThreads& threads_;
};

}  // namespace flox::node
