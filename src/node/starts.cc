#include "node/starts.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/error.h"

namespace flox::node {

namespace asio = boost::asio;

namespace {

constexpr auto interval = std::chrono::milliseconds(10);  // how often to look whether there is a place

}  // namespace

asio::awaitable<Starts::Place> Starts::take(std::string name) {
  const auto deadline = std::chrono::steady_clock::now() + limits_.wait;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (!try_take(name)) {
    if (std::chrono::steady_clock::now() >= deadline)
      throw Error(ErrorKind::unavailable,
                  fmt::format("{} other containers of the namespace '{}' are being started and do not get on",
                              limits_.of_namespace, name),
                  "See whether the catalog and the caches answer; kubelet tries again by itself.");
    timer.expires_after(interval);
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_return Place(*this, std::move(name));
}

bool Starts::try_take(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  const auto found = by_namespace_.find(name);
  if (all_ >= limits_.all || (found != by_namespace_.end() && found->second >= limits_.of_namespace))
    return false;
  ++all_;
  ++by_namespace_[name];
  return true;
}

void Starts::give_back(const std::string& name) {
  const std::scoped_lock lock(mutex_);
  --all_;
  if (const auto found = by_namespace_.find(name); --found->second == 0) by_namespace_.erase(found);
}

}  // namespace flox::node
