#include "shim/process/waiting.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace flox::shim {

void Event::set() {
  set_ = true;
  for (asio::steady_timer* waiter : waiters_) waiter->cancel();
}

asio::awaitable<void> Event::wait() { co_await wait_for(Milliseconds::max()); }

asio::awaitable<bool> Event::wait_for(Milliseconds limit) {
  if (set_) co_return true;
  asio::steady_timer timer(executor_);
  if (limit == Milliseconds::max())
    timer.expires_at(asio::steady_timer::time_point::max());
  else
    timer.expires_after(limit);
  auto place = waiters_.insert(waiters_.end(), &timer);
  boost::system::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  waiters_.erase(place);
  co_return set_;
}

asio::awaitable<Mutex::Guard> Mutex::lock() {
  if (locked_) {
    asio::steady_timer timer(executor_, asio::steady_timer::time_point::max());
    waiters_.push_back(&timer);
    boost::system::error_code cancelled;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  locked_ = true;
  co_return Guard(this);
}

// The lock passes directly to the first in the queue: locked_ stays true, so nobody can slip in between.
void Mutex::unlock() {
  if (waiters_.empty()) {
    locked_ = false;
    return;
  }
  asio::steady_timer* next = waiters_.front();
  waiters_.pop_front();
  next->cancel();
}

void WaitGroup::add() {
  if (count_++ == 0) none_ = std::make_shared<Event>(executor_);
}

void WaitGroup::done() {
  if (--count_ == 0) none_->set();
}

asio::awaitable<void> WaitGroup::wait() {
  while (count_ > 0) {
    const std::shared_ptr<Event> none = none_;
    co_await none->wait();
  }
}

asio::awaitable<void> pause_for(Milliseconds time) {
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, time);
  boost::system::error_code cancelled;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

}  // namespace flox::shim
