#include "server/api/form.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::server {
namespace {

TEST(Form, is_decoded_as_browsers_encode_it) {
  const auto form = parse_form("a=1&b=x+y%2Fz&c&=d&");
  EXPECT_EQ(form, (std::map<std::string, std::string>{{"a", "1"}, {"b", "x y/z"}, {"c", ""}, {"", "d"}}));
  EXPECT_TRUE(parse_form("").empty());
}

TEST(Form, what_could_be_read_in_two_ways_is_refused) {
  for (const char* text : {"a=1&a=2", "a=%", "a=%zz", "a=%00", "a=%ff", "a=\n"})
    EXPECT_THROW(parse_form(text), Error) << text;
  std::string many;
  for (int i = 0; i < 33; ++i) many += "m" + std::to_string(i) + "=&";
  EXPECT_THROW(parse_form(many), Error);
}

}  // namespace
}  // namespace flox::server
