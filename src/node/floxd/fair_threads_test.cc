#include "node/floxd/fair_threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <stdexcept>
#include <thread>
#include <vector>

namespace flox::node {
namespace {

namespace asio = boost::asio;

class FairThreadsTest : public testing::Test {
 protected:
  ~FairThreadsTest() override {
    work_.reset();
    loop_thread_.join();
  }
  std::future<std::string> run(std::string tenant, std::function<std::string()> work) {
    return asio::co_spawn(loop_, threads_.run(std::move(tenant), std::move(work)), asio::use_future);
  }

  FairThreads threads_{8};
  asio::io_context loop_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(loop_);
  std::thread loop_thread_{[this] { loop_.run(); }};
};

TEST_F(FairThreadsTest, gives_what_the_work_gives_or_throws) {
  EXPECT_EQ(run("a", [] { return std::string("done"); }).get(), "done");
  EXPECT_THROW(run("a", []() -> std::string { throw std::runtime_error("no"); }).get(), std::runtime_error);
}

TEST_F(FairThreadsTest, a_tenant_whose_work_does_not_end_holds_nobody_else_up) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  const auto endless = [ended] {
    ended.wait();
    return std::string("ended");
  };
  std::vector<std::future<std::string>> slow;
  for (int i = 0; i < 100; ++i) slow.push_back(run("slow", endless));
  for (int i = 0; i < 100; ++i) slow.push_back(run("slow too", endless));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(run("other", [] { return std::string("done"); }).get(), "done");
  end.set_value();
  for (auto& result : slow) EXPECT_EQ(result.get(), "ended");
}

TEST(FairThreads, a_tenant_with_much_work_delays_anothers_by_one_piece) {
  std::mutex mutex;
  std::vector<std::string> order;
  std::promise<void> begin, end;
  FairThreads threads(1);
  threads.post("busy", [&] { begin.get_future().wait(); });
  const auto work = [&](const std::string& tenant) {
    return [&, tenant] {
      const std::scoped_lock lock(mutex);
      order.push_back(tenant);
      if (order.size() == 1003) end.set_value();
    };
  };
  for (int i = 0; i < 1000; ++i) threads.post("a", work("a"));  // before "b" in the order of names
  for (const char* tenant : {"b", "c", "b"}) threads.post(tenant, work(tenant));
  EXPECT_EQ(threads.use().waiting, 1003u);
  EXPECT_EQ(threads.use().running, 1u);
  begin.set_value();
  end.get_future().wait();
  threads.stop();
  order.resize(6);
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b", "c", "a", "b", "a"}));
}

}  // namespace
}  // namespace flox::node
