#include "base/at_or_below.h"

#include <gtest/gtest.h>

namespace flox {
namespace {

TEST(AtOrBelow, is_the_directory_and_what_is_in_it) {
  EXPECT_TRUE(is_at_or_below("/a", "/a"));
  EXPECT_TRUE(is_at_or_below("/a/b", "/a"));
  EXPECT_FALSE(is_at_or_below("/ab", "/a"));
  EXPECT_FALSE(is_at_or_below("/", "/a"));
}

TEST(AtOrBelow, everything_is_in_the_root_directory) {
  EXPECT_TRUE(is_at_or_below("/", "/"));
  EXPECT_TRUE(is_at_or_below("/a/b", "/"));
}

}  // namespace
}  // namespace flox
