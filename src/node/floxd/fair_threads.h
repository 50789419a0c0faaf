// Threads that tenants share. How long a piece of work takes is its tenant's choice (a large environment, a
// slow cache), so no tenant gets all the threads: a tenant that uses as many threads as are free waits.
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

namespace flox::node {

// Thread-safe.
class FairThreads {
 public:
  explicit FairThreads(size_t threads) : free_(threads), threads_(threads) {}
  // Waits for running work, and drops waiting work.
  ~FairThreads();

  // Schedules `work`, which must not throw; the work of one tenant runs in the order of the calls.
  void post(const std::string& tenant, std::function<void()> work);
  // The same for a coroutine that waits: returns what `work` returns and throws what it throws. The coroutine
  // may end before the work does.
  template <typename Result>
  boost::asio::awaitable<Result> run(std::string tenant, std::function<Result()> work) {
    auto result = std::make_shared<std::optional<Result>>();
    std::function<void()> keeping = [result, work = std::move(work)] { result->emplace(work()); };
    co_await run_to_end(std::move(tenant), std::move(keeping));
    co_return std::move(**result);
  }

 private:
  boost::asio::awaitable<void> run_to_end(std::string tenant, std::function<void()> work);
  struct Tenant {
    size_t running = 0;
    std::deque<std::function<void()>> waiting;
  };
  void ended(const std::string& tenant);
  void start_waiting();  // under the mutex

  std::mutex mutex_;
  size_t free_;                            // threads
  std::map<std::string, Tenant> tenants_;  // those with work
  boost::asio::thread_pool threads_;
};

}  // namespace flox::node
