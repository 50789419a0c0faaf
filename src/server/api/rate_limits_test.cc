#include "server/api/rate_limits.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class RateLimiterTest : public testing::Test {
 protected:
  RateLimiter limiter(uint64_t per_second, seconds burst, size_t most_callers = 1000) {
    return RateLimiter({.per_second = per_second, .burst = burst}, most_callers, [this] { return now_; });
  }
  // How many of so many requests at once are answered.
  static int answered(RateLimiter& limiter, const std::string& caller, int requests) {
    int count = 0;
    for (int i = 0; i < requests; ++i) count += limiter.take(caller) ? 0 : 1;
    return count;
  }
  RateLimiter::Clock::time_point now_{seconds(1'000'000)};
};

TEST_F(RateLimiterTest, a_burst_is_answered_and_then_so_many_a_second) {
  auto limit = limiter(5, seconds(2));
  EXPECT_EQ(answered(limit, "a", 100), 10);
  EXPECT_EQ(limit.take("a"), seconds(1));
  now_ += seconds(1);
  EXPECT_EQ(answered(limit, "a", 100), 5);
  now_ += milliseconds(200);
  EXPECT_EQ(answered(limit, "a", 100), 1);
  now_ += seconds(3600);
  EXPECT_EQ(answered(limit, "a", 100), 10);
}

TEST_F(RateLimiterTest, callers_do_not_use_up_each_others_allowance) {
  auto limit = limiter(1, seconds(3));
  EXPECT_EQ(answered(limit, "a", 100), 3);
  EXPECT_EQ(answered(limit, "b", 100), 3);
}

TEST_F(RateLimiterTest, zero_is_no_limit) {
  auto limit = limiter(0, seconds(1));
  EXPECT_EQ(answered(limit, "a", 1000), 1000);
  EXPECT_EQ(limit.callers(), 0U);
}

TEST_F(RateLimiterTest, inventing_addresses_costs_no_memory_and_gives_no_more_requests) {
  auto limit = limiter(1, seconds(1), 10);
  int count = 0;
  for (int i = 0; i < 1000; ++i) count += answered(limit, std::to_string(i), 1);
  EXPECT_EQ(count, 11);  // ten that are known, and one of all others
  EXPECT_EQ(limit.callers(), 10U);
  EXPECT_TRUE(limit.take("3"));
  now_ += seconds(2);
  EXPECT_FALSE(limit.take("2000"));
  EXPECT_EQ(limit.callers(), 1U);
}

TEST_F(RateLimiterTest, who_is_told_to_wait_and_does_is_answered) {
  auto limit = limiter(2, seconds(60));
  answered(limit, "a", 1000);
  const auto wait = limit.take("a");
  ASSERT_TRUE(wait);
  now_ += *wait;
  EXPECT_FALSE(limit.take("a"));
}

TEST(LimitedAddress, is_what_one_customer_has) {
  EXPECT_EQ(limited_address("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(limited_address("::ffff:192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(limited_address("2001:db8:1:2::1"), limited_address("2001:db8:1:2:ffff::9"));
  EXPECT_NE(limited_address("2001:db8:1:2::1"), limited_address("2001:db8:1:3::1"));
  EXPECT_EQ(limited_address("nonsense"), "nonsense");
}

}  // namespace
}  // namespace flox::server
