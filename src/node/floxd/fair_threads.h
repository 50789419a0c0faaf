// Threads that tenants share. How long a piece of work takes is its tenant's choice (a large environment, a
// slow cache), so no tenant gets all the threads (fair_places.h). Who has the fewest comes first, and among
// those who was served the longest time ago: however much work a tenant has waiting, another one waits for
// one piece of it at most.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "node/floxd/fair_places.h"

namespace flox::node {

// Thread-safe.
class FairThreads {
 public:
  // `begin`: called on a thread before each piece of work, to set what is the thread's own; may be empty.
  explicit FairThreads(size_t threads, std::function<void()> begin = {})
      : begin_(std::move(begin)), places_(threads), threads_(threads) {}
  // Stops.
  ~FairThreads();
  // Waits for running work, and drops waiting work; what comes later is dropped, too.
  void stop();

  // Schedules `work`, which must not throw; the work of one tenant runs in the order of the calls.
  void post(const std::string& tenant, std::function<void()> work);
  // The same for a coroutine that waits: returns what `work` returns and throws what it throws. The coroutine
  // may end before the work does.
  struct Use {
    size_t running = 0;
    size_t waiting = 0;
  };
  Use use() const;
  template <typename Result>
  boost::asio::awaitable<Result> run(std::string tenant, std::function<Result()> work) {
    auto result = std::make_shared<std::optional<Result>>();
    std::function<void()> keeping = [result, work = std::move(work)] { result->emplace(work()); };
    co_await run_to_end(std::move(tenant), std::move(keeping));
    co_return std::move(**result);
  }

 private:
  boost::asio::awaitable<void> run_to_end(std::string tenant, std::function<void()> work);
  // Which of two with as much running comes first.
  uint64_t last_served(const std::string& tenant) const;  // under the mutex
  void ended(const std::string& tenant);
  void start_waiting();  // under the mutex

  const std::function<void()> begin_;
  mutable std::mutex mutex_;
  FairPlaces places_;                                                 // of work that runs
  std::map<std::string, std::deque<std::function<void()>>> waiting_;  // by tenant; those with such work
  uint64_t pieces_ = 0;                                               // begun so far
  std::map<std::string, uint64_t> served_;  // by tenant: its last piece; of those with work, and some others
  boost::asio::thread_pool threads_;
};

}  // namespace flox::node
