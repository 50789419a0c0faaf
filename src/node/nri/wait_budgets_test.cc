#include "node/nri/wait_budgets.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace flox::node {
namespace {

using Time = WaitBudgets::Time;

class WaitBudgetsTest : public testing::Test {
 protected:
  // Of one container, whose packages come after `takes`: how long containerd has waited for it.
  Time wait(const std::string& tenant, Time takes) {
    const Time limit = budgets_.limit_of(tenant, most_, now_);
    if (limit == Time::zero()) return limit;
    const Time waited = std::min(limit, takes);
    now_ += waited;
    budgets_.charge(tenant, waited, takes > limit, now_);
    return waited;
  }

  WaitBudgets budgets_;
  WaitBudgets::Clock::time_point now_ = WaitBudgets::Clock::now();
  const Time most_{1000};
};

TEST_F(WaitBudgetsTest, HoweverManyContainersAreNeverReadyOthersHaveTheRestOfTheTime) {
  const auto begin = now_;
  Time waited{0};
  size_t attempts = 0;
  constexpr Time minute{60'000};
  for (; now_ - begin < minute; ++attempts) {
    waited += wait("slow", std::chrono::hours(1));
    now_ += Time(1);  // another attempt comes at once
  }
  EXPECT_GT(attempts, 10'000U);
  EXPECT_LE(waited, WaitBudgets::full + minute / WaitBudgets::part + Time(100));
}

TEST_F(WaitBudgetsTest, OneTenantsBudgetIsNotAnothers) {
  for (int i = 0; i < 100; ++i) wait("slow", std::chrono::hours(1));
  EXPECT_EQ(wait("slow", Time(500)), Time(0));
  EXPECT_EQ(wait("other", Time(500)), Time(500));
}

TEST_F(WaitBudgetsTest, ContainersWhosePackagesAreThereAreNeverToldToComeAgain) {
  for (int i = 0; i < 10'000; ++i) EXPECT_EQ(wait("quick", Time(15)), Time(15));
}

TEST_F(WaitBudgetsTest, OneThatIsLateIsWaitedForAgainSoon) {
  EXPECT_EQ(wait("slow", std::chrono::hours(1)), most_);
  EXPECT_EQ(wait("slow", Time(15)), Time(15)) << "what is there by now";
  EXPECT_LE(wait("slow", std::chrono::hours(1)), 2 * WaitBudgets::free_time);
  EXPECT_EQ(wait("slow", Time(15)), Time(0)) << "it is in debt";
  now_ += std::chrono::minutes(1);
  EXPECT_EQ(wait("slow", std::chrono::hours(1)), most_);
}

}  // namespace
}  // namespace flox::node
