// What an exec gets of the activation.
#include "shim/imageless/imageless.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox::shim {
namespace {

using testing::ElementsAre;

TEST(ImagelessTest, AnExecRunsInTheActivationButItsOwnWishesWin) {
  Activation activation;
  activation.before = {"PATH=/bin", "GONE=1", "POD=a", "MODE=old"};
  activation.after = {"PATH=/env/bin:/bin", "POD=a", "MODE=old", "FLOX_ENV=/env"};
  EXPECT_THAT(activation.merged({"PATH=/bin", "GONE=1", "POD=a", "MODE=new", "TERM=xterm"}),
              ElementsAre("PATH=/env/bin:/bin", "POD=a", "MODE=new", "TERM=xterm", "FLOX_ENV=/env"));
  EXPECT_THAT(activation.merged({"PATH=/mine"}), testing::Contains("PATH=/mine"));
}

// Comparing each with each, this would take minutes.
TEST(ImagelessTest, AnExecWithVeryManyVariablesIsMerged) {
  Activation activation;
  for (int i = 0; i < 100'000; ++i) activation.before.push_back(fmt::format("V{}=1", i));
  activation.after = activation.before;
  activation.after.emplace_back("FLOX_ENV=/env");
  EXPECT_EQ(activation.merged(activation.before), activation.after);
}

}  // namespace
}  // namespace flox::shim
