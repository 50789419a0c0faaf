#include "node/floxd/peers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox::node {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ShunnedPeers, one_that_failed_is_asked_again_soon_and_one_that_lied_is_not) {
  ShunnedPeers shunned;
  const ShunnedPeers::Time now{std::chrono::hours(1)};
  shunned.note({.address = "10.0.0.1:9810", .paths = 3}, now);
  EXPECT_THAT(shunned.at(now), IsEmpty());
  shunned.note({.address = "10.0.0.1:9810", .failed = true}, now);
  shunned.note({.address = "10.0.0.2:9810", .failed = true, .lied = true}, now);
  EXPECT_THAT(shunned.at(now), ElementsAre("10.0.0.1:9810", "10.0.0.2:9810"));
  EXPECT_THAT(shunned.at(now + minutes(1)), ElementsAre("10.0.0.2:9810"));
  shunned.note({.address = "10.0.0.2:9810", .failed = true}, now + minutes(1));
  EXPECT_THAT(shunned.at(now + minutes(59)), ElementsAre("10.0.0.2:9810")) << "it lied all the same";
  EXPECT_THAT(shunned.at(now + minutes(61)), IsEmpty());
}

}  // namespace
}  // namespace flox::node
