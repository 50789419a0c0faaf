#include "kube/pods/probe.h"

#include <gtest/gtest.h>

namespace flox::kube {
namespace {

TEST(ProbeCounter, answers_change_only_after_enough_equal_results) {
  Probe probe;
  probe.failure_threshold = 3;
  probe.success_threshold = 2;
  ProbeCounter counter(probe, false);
  EXPECT_FALSE(counter.take(true));
  EXPECT_TRUE(counter.take(true));
  EXPECT_TRUE(counter.healthy());
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(true));
  EXPECT_FALSE(counter.take(false));
  EXPECT_FALSE(counter.take(false));
  EXPECT_TRUE(counter.take(false));
  EXPECT_FALSE(counter.healthy());
}

}  // namespace
}  // namespace flox::kube
