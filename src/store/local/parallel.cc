#include "store/local/parallel.h"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace flox::store {

void run_workers(unsigned count, const std::function<void(unsigned)>& body,
                 const std::function<void()>& on_failure) {
  std::exception_ptr first;
  std::mutex mutex;
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < count; ++i)
      threads.emplace_back([&, i] {
        try {
          body(i);
        } catch (...) {
          {
            const std::lock_guard lock(mutex);
            if (!first) first = std::current_exception();
          }
          if (on_failure) on_failure();
        }
      });
  }
  if (first) std::rethrow_exception(first);
}

unsigned worker_count(unsigned wanted) {
  if (wanted != 0) return wanted;
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : cores;
}

}  // namespace flox::store
