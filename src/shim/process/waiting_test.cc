#include "shim/process/waiting.h"

#include <gtest/gtest.h>

#include <boost/asio/detached.hpp>

#include "shim/testing/run_to_end.h"

namespace flox::shim {
namespace {

TEST(WaitingTest, AMutexIsTakenInOrderOfArrival) {
  asio::io_context context;
  Mutex mutex(context.get_executor());
  std::string order;
  auto worker = [&](char name) -> asio::awaitable<void> {
    auto guard = co_await mutex.lock();
    order += name;
    co_await pause_for(Milliseconds(1));
    order += name;
  };
  for (char name : {'a', 'b', 'c'}) asio::co_spawn(context, worker(name), asio::detached);
  context.run();
  EXPECT_EQ(order, "aabbcc");
}

TEST(WaitingTest, AnEventThatHappensNotInTimeIsReportedSo) {
  asio::io_context context;
  Event event(context.get_executor());
  EXPECT_FALSE(run_to_end(context, event.wait_for(Milliseconds(5))));
  event.set();
  EXPECT_TRUE(run_to_end(context, event.wait_for(Milliseconds(5))));
}

TEST(WaitingTest, AWaitGroupIsWaitedForUntilNothingIsUnderWay) {
  asio::io_context context;
  WaitGroup group(context.get_executor());
  std::string order;
  run_to_end(context, group.wait());  // nothing is
  group.add();
  group.add();
  auto waiter = [&]() -> asio::awaitable<void> {
    co_await group.wait();
    order += "waited";
  };
  asio::co_spawn(context, waiter(), asio::detached);
  context.restart();
  context.poll();
  group.done();
  group.add();  // another one, before the first two have all ended
  group.done();
  context.poll();
  EXPECT_EQ(order, "");
  group.done();
  context.restart();
  context.poll();
  EXPECT_EQ(order, "waited");
}

}  // namespace
}  // namespace flox::shim
