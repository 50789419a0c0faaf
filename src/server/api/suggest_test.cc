#include "server/api/suggest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flox::server {
namespace {

using testing::HasSubstr;

TEST(Suggestions, are_the_closest_names_and_never_those_of_a_hostile_length) {
  std::vector<std::string> names = {"hello", "help", "python3", "ticket-processor", "ticket-processor-avx2"};
  EXPECT_EQ(advice_for_unknown("helo", names), "Did you mean hello, help?");
  EXPECT_THAT(advice_for_unknown("ticket-procesor", names), HasSubstr("Did you mean ticket-processor"));
  EXPECT_THAT(advice_for_unknown("zzzzzz", names), HasSubstr("flox search"));
  EXPECT_THAT(advice_for_unknown(std::string(1'000'000, 'h'), names), HasSubstr("flox search"));
}

}  // namespace
}  // namespace flox::server
