#include "base/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(NearestNames, are_a_few_typing_errors_away_the_closest_first) {
  EXPECT_THAT(nearest_names("helo", {"help", "other", "hello"}), ElementsAre("hello", "help"));
}

TEST(NearestNames, contain_the_word) {
  EXPECT_THAT(nearest_names("python", {"ruby", "micropython-full"}), ElementsAre("micropython-full"));
}

TEST(NearestNames, are_at_most_as_many_as_asked_for) {
  EXPECT_THAT(nearest_names("aaaa", {"aaab", "aaac", "aaad"}, 2), ElementsAre("aaab", "aaac"));
}

TEST(NearestNames, share_a_letter_with_the_word) {
  EXPECT_THAT(nearest_names("xy", {"gc", "ps", "xz"}), ElementsAre("xz"));
  EXPECT_THAT(nearest_names("", {"a"}), IsEmpty());
  EXPECT_THAT(nearest_names(std::string(200, 'a'), {std::string(200, 'a')}), IsEmpty());
}

}  // namespace
}  // namespace flox
