#include "node/floxd/pace.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace flox::node {
namespace {

using Clock = std::chrono::steady_clock;
const auto never = [] { return false; };

double seconds_for(Pace& pace, int pieces, uint64_t bytes) {
  const auto begin = Clock::now();
  for (int i = 0; i < pieces; ++i) pace.allow(bytes, never);
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

TEST(Pace, no_more_comes_than_the_rate_allows_however_many_ask) {
  Pace pace(1'000'000);
  const auto begin = Clock::now();
  {
    std::vector<std::future<double>> all;
    for (int i = 0; i < 4; ++i)
      all.push_back(std::async(std::launch::async, [&] { return seconds_for(pace, 5, 50'000); }));
  }
  // 1 MB; the last piece's time is the next one's.
  EXPECT_GE(std::chrono::duration<double>(Clock::now() - begin).count(), 0.9);
}

TEST(Pace, while_something_is_urgent_nothing_comes_unless_it_waits_for_that) {
  Pace pace(0);
  std::optional<Pace::Urgent> urgent(pace);
  auto first = std::async(std::launch::async, [&] { pace.allow(1, never); });
  EXPECT_EQ(first.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  urgent.reset();
  first.get();
  urgent.emplace(pace);
  auto second = std::async(std::launch::async, [&] { pace.allow(1, never); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  pace.hurry();
  second.get();
}

TEST(Pace, who_is_over_does_not_wait) {
  Pace pace(1);
  std::atomic<bool> over = false;
  pace.allow(1'000'000, never);  // the next turn comes in eleven days
  auto waiting = std::async(std::launch::async, [&] { pace.allow(1, [&] { return over.load(); }); });
  EXPECT_EQ(waiting.wait_for(std::chrono::milliseconds(300)), std::future_status::timeout);
  over = true;
  waiting.get();
}

}  // namespace
}  // namespace flox::node
