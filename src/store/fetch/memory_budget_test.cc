#include "store/fetch/memory_budget.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/error.h"

namespace flox::store {
namespace {

TEST(MemoryBudget, many_threads_never_have_more_than_there_is) {
  MemoryBudget budget(100);
  std::atomic<uint64_t> taken = 0;
  {
    std::vector<std::jthread> threads;
    for (uint64_t i = 1; i <= 8; ++i)
      threads.emplace_back([&, i] {
        for (int time = 0; time < 500; ++time) {
          const auto grant = budget.take(12 * i);
          EXPECT_LE(taken += 12 * i, 100u);
          taken -= 12 * i;
        }
      });
  }
  EXPECT_LE(budget.peak(), 100u);
  EXPECT_TRUE(budget.try_take(100)) << "all of it came back";
}

TEST(MemoryBudget, whoever_wants_much_is_not_passed_by_those_who_want_little) {
  MemoryBudget budget(100);
  auto first = budget.take(60);
  std::atomic<bool> has_it = false;
  std::jthread wants_much([&] {
    const auto grant = budget.take(80);
    has_it = true;
  });
  // Once it waits, little is not to be had at once, although there is room.
  while (budget.try_take(1)) std::this_thread::yield();
  EXPECT_FALSE(has_it);
  first.reset();
  wants_much.join();
  EXPECT_TRUE(has_it);
  EXPECT_EQ(budget.peak(), 80u);
}

TEST(MemoryBudget, closing_it_wakes_who_waits_and_nobody_gets_any_more) {
  MemoryBudget budget(100);
  const auto all = budget.take(100);
  {
    const std::jthread waits([&] { EXPECT_FALSE(budget.take(1)); });
    budget.close();
  }
  EXPECT_FALSE(budget.take(0));
  EXPECT_FALSE(budget.try_take(0));
}

TEST(MemoryBudget, more_than_there_ever_is_is_an_error_rather_than_a_wait) {
  MemoryBudget budget(100 << 20);
  EXPECT_THROW(budget.take(101 << 20), Error);
}

}  // namespace
}  // namespace flox::store
