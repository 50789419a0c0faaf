#include "trust/names.h"

#include <gtest/gtest.h>

#include <string>

#include "testing/error_of.h"
#include "testing/repeated.h"

namespace flox::trust {
namespace {

TEST(Names, OfOwnersAreThoseOfEnvironments) {
  for (const char* good : {"acme", "a", "7up", "team.web-1_x"}) EXPECT_NO_THROW(check_owner(good)) << good;
  for (const std::string& bad : {std::string(), std::string(".."), std::string("-x"), std::string("a/b"),
                                 std::string("a b"), std::string("\xc3\xa9"), repeated("a", 65)})
    EXPECT_NE(error_of([&] { check_owner(bad); }), "no error") << bad;
}

TEST(Names, AreOfPackagesOrEnvironments) {
  EXPECT_NO_THROW(check_name(package_name("hello")));
  EXPECT_NO_THROW(check_name(package_name("g++-12")));
  EXPECT_NO_THROW(check_name(environment_name("web")));
  for (const char* bad : {"hello", "packages", "packages/", "packages/..", "packages/a/b", "other/a",
                          "packages/a*", "/packages/a", "packages/a\n"})
    EXPECT_NE(error_of([&] { check_name(bad); }), "no error") << bad;
}

TEST(Names, MatchPatternsWhoseStarsDoNotCrossTheSlash) {
  EXPECT_TRUE(matches("packages/*", "packages/hello"));
  EXPECT_TRUE(matches("*/web", "environments/web"));
  EXPECT_TRUE(matches("packages/web-*-*", "packages/web-a-b-c"));
  EXPECT_TRUE(matches("packages/we?", "packages/web"));
  EXPECT_TRUE(matches("packages/*b*", "packages/abc"));
  EXPECT_FALSE(matches("*", "packages/hello"));
  EXPECT_FALSE(matches("packages*", "packages/hello"));
  EXPECT_FALSE(matches("packages?hello", "packages/hello"));
  EXPECT_FALSE(matches("packages/web-*", "packages/web"));
  EXPECT_FALSE(matches("packages/we?", "packages/we"));
  EXPECT_FALSE(matches("environments/*", "packages/hello"));
  EXPECT_FALSE(matches("", "packages/hello"));
}

TEST(Names, TakeNoLongTimeWithManyStars) {
  const std::string pattern = "packages/" + repeated("a*", 60) + "b";
  EXPECT_FALSE(matches(pattern, "packages/" + repeated("a", 100)));
}

TEST(Names, RefusePatternsThatOtherReadersTakeOtherwise) {
  EXPECT_NO_THROW(check_pattern("packages/web-*"));
  EXPECT_NO_THROW(check_pattern("*/a?c"));
  for (const char* bad :
       {"*", "", "packages/", "/x", "packages/[ab]", "packages/a/*", "packages/a b", "packages/\\*"})
    EXPECT_NE(error_of([&] { check_pattern(bad); }), "no error") << bad;
}

TEST(Names, ThatLookAlikeAreFound) {
  for (const char* name : {"Acme", "ACME", "acme"}) EXPECT_EQ(look_of(name), "acme");
  for (const char* name : {"web-1.il", "web_1-l1", "WEB.L-Il"}) EXPECT_EQ(look_of(name), "web-l-ll") << name;
  EXPECT_EQ(look_of("t00ls"), look_of("tools"));
  EXPECT_NE(look_of("acme"), look_of("acne"));
  EXPECT_NE(look_of("acme"), look_of("acme-"));
}

TEST(Names, HaveNoCharactersButAsciis) {
  // A Cyrillic a, a full-width one, a combining accent, a zero-width joiner, one from right to left.
  for (const char* name : {"\xd0\xb0"
                           "cme",
                           "\xef\xbd\x81"
                           "cme",
                           "a\xcc\x81"
                           "cme",
                           "ac\xe2\x80\x8dme",
                           "\xe2\x80\xae"
                           "emca"}) {
    EXPECT_THROW(check_owner(name), Error) << name;
    EXPECT_THROW(check_label(name, "the key's name"), Error) << name;
    EXPECT_THROW(check_name(std::string("packages/") + name), Error) << name;
    EXPECT_THROW(check_pattern(std::string("packages/") + name), Error) << name;
  }
}

}  // namespace
}  // namespace flox::trust
