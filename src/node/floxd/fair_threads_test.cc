#include "node/floxd/fair_threads.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace flox::node
