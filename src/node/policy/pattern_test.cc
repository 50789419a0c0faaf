#include "node/policy/pattern.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/error.h"

namespace flox::policy {
namespace {

TEST(PatternTest, AStarStandsForAnyTextButNotForASlash) {
  EXPECT_TRUE(Pattern("*").matches("shop"));
  EXPECT_TRUE(Pattern("*").matches(""));
  EXPECT_TRUE(Pattern("shop-*").matches("shop-"));
  EXPECT_TRUE(Pattern("a*b*c").matches("aXbXbXc"));
  EXPECT_FALSE(Pattern("a*b*c").matches("aXbXbX"));
  EXPECT_FALSE(Pattern("shop-*").matches("shop"));
  EXPECT_TRUE(Pattern("acme/*").matches("acme/web"));
  EXPECT_FALSE(Pattern("*").matches("acme/web"));
  EXPECT_FALSE(Pattern("acme*").matches("acme/web"));
  EXPECT_TRUE(Pattern("*/*").matches("acme/web"));
}

TEST(PatternTest, AQuestionMarkStandsForOneCharacter) {
  EXPECT_TRUE(Pattern("node-?").matches("node-1"));
  EXPECT_FALSE(Pattern("node-?").matches("node-"));
  EXPECT_FALSE(Pattern("node-?").matches("node-12"));
  EXPECT_FALSE(Pattern("a?b").matches("a/b"));
}

TEST(PatternTest, ANameWithoutWildcardsIsItself) {
  EXPECT_TRUE(Pattern("shop.x").is_literal());
  EXPECT_FALSE(Pattern("shop-*").is_literal());
  EXPECT_TRUE(Pattern("shop.x").matches("shop.x"));
  EXPECT_FALSE(Pattern("shop.x").matches("shopyx"));
  EXPECT_FALSE(Pattern("shop").matches("Shop"));
}

TEST(PatternTest, WhatIsNoNameIsRefused) {
  for (const std::string text : {"", " ", "a b", "a\n", "\x7f"}) EXPECT_THROW(Pattern{text}, Error) << text;
  EXPECT_THROW(Pattern(std::string(257, 'a')), Error);
  EXPECT_NO_THROW(Pattern(std::string(256, '*')));
}

TEST(PatternTest, ItsRegularExpressionMatchesTheSame) {
  for (const std::string pattern : {"*", "a*", "a.b", "a?b*c", "x/*", "*/*-[1]", "c++", "(a|b)", "a\\b"})
    for (const std::string name :
         {"", "a", "ab", "a.b", "axb", "aXbYc", "x/y", "x/y/z", "p/q-[1]", "c++", "cc", "(a|b)", "a\\b"})
      EXPECT_EQ(Pattern(pattern).matches(name),
                std::regex_match(name, std::regex(Pattern(pattern).regular_expression())))
          << pattern << " " << name;
}

TEST(PatternTest, ManyStarsTakeNoLongTime) {
  std::string stars;
  for (int i = 0; i < 128; ++i) stars += "*a";
  EXPECT_FALSE(Pattern(stars).matches(std::string(100'000, 'a') + "b"));
}

}  // namespace
}  // namespace flox::policy
