#include "lazy/read_counts.h"

#include <gtest/gtest.h>

namespace flox::lazy {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(ReadCountsTest, AReadThatWaitedIsInTheMountsClassOfItsTime) {
  const auto mount = std::make_shared<WaitTimes>();
  ReadCounts one(mount), other(mount);
  one.ended(microseconds(50), 0);  // it was there
  one.ended(milliseconds(1), 0);   // a bound belongs to the class that it ends
  other.ended(microseconds(1001), 0);
  other.ended(std::chrono::minutes(5), 5);
  EXPECT_EQ(one.waited, 1u);
  EXPECT_EQ(one.failed, 0u);
  EXPECT_EQ(other.waited, 2u);
  EXPECT_EQ(other.failed, 1u);
  EXPECT_EQ(mount->counts[0], 1u);
  EXPECT_EQ(mount->counts[1], 1u);
  EXPECT_EQ(mount->counts[WaitTimes::bounds.size()], 1u);
  EXPECT_EQ(mount->micros, one.waited_micros + other.waited_micros);
}

TEST(ReadCountsTest, AnErrorWithoutAWaitCountsAndAPathOfNoMountDoes) {
  ReadCounts counts;
  counts.ended(microseconds(1), 5);
  counts.ended(milliseconds(3), 0);
  EXPECT_EQ(counts.failed, 1u);
  EXPECT_EQ(counts.waited, 1u);
}

}  // namespace
}  // namespace flox::lazy
