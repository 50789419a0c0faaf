#include "node/floxd/under_way.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "base/error.h"

namespace flox::node {
namespace {

const UnderWay::Work a_work{sha256("a"), Lane::start};

// A condition with a deadline.
template <typename Condition>
bool comes(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!condition())
    if (std::chrono::steady_clock::now() > end)
      return false;
    else
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
  return true;
}

TEST(UnderWay, a_work_is_done_once_at_a_time_and_another_lanes_meanwhile) {
  UnderWay under_way;
  std::optional<std::future<void>> second;
  {
    const UnderWay::Turn turn = under_way.begin(a_work, {});
    const UnderWay::Turn other = under_way.begin({a_work.first, Lane::prefetch}, {});
    EXPECT_TRUE(under_way.busy({Lane::start}));
    EXPECT_FALSE(under_way.busy({Lane::pod}));
    second = std::async(std::launch::async, [&] { under_way.begin(a_work, {}); });
    EXPECT_EQ(second->wait_for(std::chrono::milliseconds(400)), std::future_status::timeout);
  }
  second->get();
  EXPECT_FALSE(under_way.busy({Lane::start, Lane::prefetch}));
}

TEST(UnderWay, what_nobody_wants_any_more_is_stopped) {
  UnderWay under_way;
  std::atomic<bool> gone = false;
  const UnderWay::Turn turn = under_way.begin(a_work, [&] { return gone.load(); });
  EXPECT_FALSE(turn.stop().stop_requested());
  gone = true;
  EXPECT_TRUE(comes([&] { return turn.stop().stop_requested(); }));
}

TEST(UnderWay, what_another_one_waits_for_goes_on_until_that_one_goes_too) {
  UnderWay under_way;
  std::atomic<bool> first_gone = false, second_gone = false;
  std::atomic<int> asked = 0;
  const UnderWay::Turn turn = under_way.begin(a_work, [&] { return first_gone.load(); });
  auto waiting = std::async(std::launch::async, [&] {
    under_way.begin(a_work, [&] {
      ++asked;
      return second_gone.load();
    });
  });
  ASSERT_TRUE(comes([&] { return asked > 0; }));
  first_gone = true;
  const int before = asked;
  ASSERT_TRUE(comes([&] { return asked > before + 8; }));
  EXPECT_FALSE(turn.stop().stop_requested());
  second_gone = true;
  EXPECT_THROW(waiting.get(), Error);
  EXPECT_TRUE(comes([&] { return turn.stop().stop_requested(); }));
}

TEST(UnderWay, stopping_stops_all_and_lets_nothing_begin) {
  UnderWay under_way;
  const UnderWay::Turn turn = under_way.begin(a_work, {});
  under_way.stop();
  EXPECT_TRUE(turn.stop().stop_requested());
  EXPECT_THROW(under_way.begin({sha256("b"), Lane::pod}, {}), Error);
}

}  // namespace
}  // namespace flox::node
