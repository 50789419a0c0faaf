#include "base/wildcard.h"

#include <gtest/gtest.h>

#include <string>

namespace flox {
namespace {

TEST(Wildcard, a_star_stands_for_any_characters_and_the_rest_for_itself) {
  for (const auto& [pattern, text] : {std::pair{"", ""},
                                      {"*", ""},
                                      {"*", "a/b"},
                                      {"a*c", "ac"},
                                      {"a*c", "abcbc"},
                                      {"*:main", "repo:x:main"},
                                      {"a**b", "ab"},
                                      {"a?", "a?"}})
    EXPECT_TRUE(matches_wildcard(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : {std::pair{"", "a"},
                                      {"a", ""},
                                      {"a*c", "ab"},
                                      {"a?", "ab"},
                                      {"repo:*:main", "repo:x:maintenance"},
                                      {"a", "A"}})
    EXPECT_FALSE(matches_wildcard(pattern, text)) << pattern << " " << text;
}

TEST(Wildcard, in_a_path_neither_star_nor_question_mark_stands_for_a_slash) {
  for (const auto& [pattern, text] : {std::pair{"packages/*", "packages/web"},
                                      {"packages/*", "packages/"},
                                      {"packages/w?b*", "packages/web-ui"},
                                      {"*/web", "packages/web"},
                                      {"a*b*c", "axbbxc"}})
    EXPECT_TRUE(matches_path_pattern(pattern, text)) << pattern << " " << text;
  for (const auto& [pattern, text] : {std::pair{"*", "packages/web"},
                                      {"packages?web", "packages/web"},
                                      {"packages/*", "packages/a/b"},
                                      {"p*b", "packages/web"},
                                      {"packages/w?b", "packages/wb"}})
    EXPECT_FALSE(matches_path_pattern(pattern, text)) << pattern << " " << text;
}

TEST(Wildcard, many_stars_cost_no_more_than_the_product_of_the_lengths) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches_wildcard(pattern + "b", std::string(10'000, 'a')));
}

}  // namespace
}  // namespace flox
