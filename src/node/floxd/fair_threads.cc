#include "node/floxd/fair_threads.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <utility>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/printable.h"

namespace flox::node {

namespace asio = boost::asio;

namespace {

struct End {
  explicit End(const asio::any_io_executor& executor)
      : done(executor, asio::steady_timer::time_point::max()) {}

  std::exception_ptr error;
  // Of the asker's, used on its executor only.
  asio::steady_timer done;
  bool finished = false;
};

}  // namespace

FairThreads::~FairThreads() { stop(); }

void FairThreads::stop() {
  threads_.stop();
  threads_.join();
}

FairThreads::Use FairThreads::use() const {
  const std::scoped_lock lock(mutex_);
  Use use{.running = places_.taken()};
  for (const auto& [tenant, work] : waiting_) use.waiting += work.size();
  return use;
}

uint64_t FairThreads::last_served(const std::string& tenant) const {
  const auto found = served_.find(tenant);
  return found == served_.end() ? 0 : found->second;
}

void FairThreads::post(const std::string& tenant, std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  waiting_[tenant].push_back(std::move(work));
  start_waiting();
}

asio::awaitable<void> FairThreads::run_to_end(std::string tenant, std::function<void()> work) {
  auto executor = co_await asio::this_coro::executor;
  auto end = std::make_shared<End>(executor);
  post(tenant, [end, work = std::move(work)]() mutable {
    try {
      std::exchange(work, nullptr)();
    } catch (...) {
      end->error = std::current_exception();
    }
    asio::post(end->done.get_executor(), [end] {
      end->finished = true;
      end->done.cancel();
    });
  });
  boost::system::error_code ignored;
  while (!end->finished) co_await end->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (end->error) std::rethrow_exception(end->error);
}

void FairThreads::start_waiting() {
  for (;;) {
    auto next = waiting_.end();
    const auto rank = [this](const auto& it) {
      return std::pair(places_.taken(it->first), last_served(it->first));
    };
    for (auto it = waiting_.begin(); it != waiting_.end(); ++it)
      if (places_.has_one_for(it->first) && (next == waiting_.end() || rank(it) < rank(next))) next = it;
    if (next == waiting_.end()) return;
    const std::string name = next->first;
    places_.take(name);
    constexpr size_t remembered = 4096;
    if (served_.size() >= remembered)
      std::erase_if(served_, [&](const auto& served) {
        return !waiting_.contains(served.first) && places_.taken(served.first) == 0;
      });
    served_[name] = ++pieces_;
    asio::post(threads_, [this, name, work = std::move(next->second.front())]() mutable {
      if (begin_) begin_();
      try {
        std::exchange(work, nullptr)();
      } catch (const std::exception& error) {  // a thread that ends by it would end floxd
        log::error("work for {}: {}", printable(name), message_of(error));
      }
      ended(name);
    });
    next->second.pop_front();
    if (next->second.empty()) waiting_.erase(next);
  }
}

void FairThreads::ended(const std::string& tenant) {
  const std::scoped_lock lock(mutex_);
  places_.give_back(tenant);
  start_waiting();
}

}  // namespace flox::node
