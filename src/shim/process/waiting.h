// What coroutines of the shim's one thread wait for each other with.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <memory>

namespace flox::shim {

namespace asio = boost::asio;
using Executor = asio::any_io_executor;
using Milliseconds = std::chrono::milliseconds;

// Something that happens once. Any number of coroutines may wait.
class Event {
 public:
  explicit Event(Executor executor) : executor_(std::move(executor)) {}
  bool is_set() const noexcept { return set_; }
  void set();
  asio::awaitable<void> wait();
  // False if it did not happen in time.
  asio::awaitable<bool> wait_for(Milliseconds limit);

 private:
  Executor executor_;
  bool set_ = false;
  std::list<asio::steady_timer*> waiters_;
};

// Mutual exclusion across suspensions, in order of arrival.
class Mutex {
 public:
  class Guard {
   public:
    explicit Guard(Mutex* mutex) noexcept : mutex_(mutex) {}
    Guard(Guard&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)) {}
    Guard& operator=(Guard&&) = delete;
    ~Guard() {
      if (mutex_ != nullptr) mutex_->unlock();
    }

   private:
    Mutex* mutex_;
  };

  explicit Mutex(Executor executor) : executor_(std::move(executor)) {}
  // The mutex must outlive the guard.
  asio::awaitable<Guard> lock();

 private:
  void unlock();
  Executor executor_;
  bool locked_ = false;
  std::list<asio::steady_timer*> waiters_;
};

// Counts what is under way, so that others can wait until nothing is.
class WaitGroup {
 public:
  explicit WaitGroup(Executor executor) : executor_(std::move(executor)) {}
  void add();
  void done();  // once for every add()
  asio::awaitable<void> wait();

 private:
  Executor executor_;
  int count_ = 0;
  std::shared_ptr<Event> none_;  // set when the count falls to 0
};

asio::awaitable<void> pause_for(Milliseconds time);

}  // namespace flox::shim
