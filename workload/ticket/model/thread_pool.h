// The threads that the models compute with.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace ticket::model {

// A fixed set of threads that share one loop at a time. Callers from several threads take turns.
class ThreadPool {
 public:
  // `threads` counts the caller: 1 makes no thread.
  explicit ThreadPool(unsigned threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // The process's own, made at first use with default_threads().
  static ThreadPool& shared();
  // TICKET_THREADS if set, otherwise what the CPU affinity and the cgroup's CPU limit (v1 or v2) leave,
  // rounded up. Throws Error(invalid_input) if TICKET_THREADS is not a number from 1 to 256.
  static unsigned default_threads();

  unsigned threads() const noexcept;

  // Calls body(i) for each i in [0, count), on all threads, each taking the next few that are free; returns
  // when all are done. `operations` is roughly what one i costs: loops too short to be worth another thread
  // stay on the caller's. `body` must not throw and must not call for_each.
  void for_each(size_t count, size_t operations, const std::function<void(size_t)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ticket::model
