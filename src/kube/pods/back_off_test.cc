#include "kube/pods/back_off.h"

#include <gmock/gmock.h>

#include <vector>

namespace flox::kube {
namespace {

using namespace std::chrono_literals;

TEST(BackOffTest, waits_longer_and_longer_up_to_five_minutes) {
  BackOff back_off;
  const BackOff::Time now{1000000s};
  std::vector<long> delays;
  for (int i = 0; i < 8; ++i) {
    back_off.tried(now);
    EXPECT_EQ(back_off.next_try(now), now + back_off.delay());
    delays.push_back(back_off.delay().count());
  }
  EXPECT_THAT(delays, testing::ElementsAre(0, 10, 20, 40, 80, 160, 300, 300));
}

TEST(BackOffTest, forgets_after_ten_minutes_of_peace) {
  BackOff back_off;
  BackOff::Time now{1000000s};
  for (int i = 0; i < 5; ++i) back_off.tried(now);
  now += 10min;
  back_off.tried(now);
  EXPECT_EQ(back_off.delay(), 160s) << "just not long enough";
  now += 10min + 1s;
  back_off.tried(now);
  EXPECT_EQ(back_off.delay(), 0s);
}

}  // namespace
}  // namespace flox::kube
