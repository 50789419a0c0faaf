#include "node/floxd/fair_threads.h"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <memory>
#include <utility>

namespace flox::node {

namespace asio = boost::asio;

namespace {

struct Result {
  explicit Result(const asio::any_io_executor& executor)
      : done(executor, asio::steady_timer::time_point::max()) {}

  std::string text;
  std::exception_ptr error;
  // Of the asker's, used on its executor only.
  asio::steady_timer done;
  bool finished = false;
};

}  // namespace

FairThreads::~FairThreads() {
  threads_.stop();
  threads_.join();
}

void FairThreads::post(const std::string& tenant, std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  tenants_[tenant].waiting.push_back(std::move(work));
  start_waiting();
}

asio::awaitable<std::string> FairThreads::run(std::string tenant, std::function<std::string()> work) {
  auto executor = co_await asio::this_coro::executor;
  auto result = std::make_shared<Result>(executor);
  post(tenant, [result, work = std::move(work)]() mutable {
    try {
      result->text = std::exchange(work, nullptr)();
    } catch (...) {
      result->error = std::current_exception();
    }
    asio::post(result->done.get_executor(), [result] {
      result->finished = true;
      result->done.cancel();
    });
  });
  boost::system::error_code ignored;
  while (!result->finished)
    co_await result->done.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  if (result->error) std::rethrow_exception(result->error);
  co_return std::move(result->text);
}

// Those with the fewest first.
void FairThreads::start_waiting() {
  for (;;) {
    auto next = tenants_.end();
    for (auto it = tenants_.begin(); it != tenants_.end(); ++it)
      if (!it->second.waiting.empty() && it->second.running < free_ &&
          (next == tenants_.end() || it->second.running < next->second.running))
        next = it;
    if (next == tenants_.end()) return;
    auto& [name, tenant] = *next;
    ++tenant.running;
    --free_;
    asio::post(threads_, [this, name, work = std::move(tenant.waiting.front())]() mutable {
      std::exchange(work, nullptr)();
      ended(name);
    });
    tenant.waiting.pop_front();
  }
}

void FairThreads::ended(const std::string& tenant) {
  const std::scoped_lock lock(mutex_);
  ++free_;
  const auto own = tenants_.find(tenant);
  if (--own->second.running == 0 && own->second.waiting.empty()) tenants_.erase(own);
  start_waiting();
}

}  // namespace flox::node
