#include "server/pages/line_difference.h"

#include <gtest/gtest.h>

namespace flox::server {
namespace {

std::string text(std::string_view before, std::string_view after, size_t around = 3) {
  std::string result;
  for (const auto& [kind, line] : line_difference(before, after, around)) {
    result += kind == DifferenceLine::Kind::same      ? ' '
              : kind == DifferenceLine::Kind::removed ? '-'
              : kind == DifferenceLine::Kind::added   ? '+'
                                                      : '~';
    result += line + "\n";
  }
  return result;
}

TEST(LineDifference, EqualTextsHaveNone) { EXPECT_EQ(text("a\nb\n", "a\nb\n"), ""); }

TEST(LineDifference, ShowsTheChangeAndWhatIsAroundIt) {
  EXPECT_EQ(text("1\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\nfour\n5\n6\n7\n", 2),
            "~\n 2\n 3\n-4\n+four\n 5\n 6\n~\n");
}

TEST(LineDifference, FindsWhatStays) { EXPECT_EQ(text("a\nb\nc\n", "b\nx\nc\nd\n"), "-a\n b\n+x\n c\n+d\n"); }

TEST(LineDifference, TakesEmptyTexts) {
  EXPECT_EQ(text("", "a"), "+a\n");
  EXPECT_EQ(text("a\n", ""), "-a\n");
}

TEST(LineDifference, ALineFeedAtTheEndMoreIsNoOtherLine) { EXPECT_EQ(text("a", "a\n"), ""); }

TEST(LineDifference, LongTextsAreBounded) {
  std::string before;
  std::string after;
  for (int i = 0; i < 5000; ++i) {
    before += "before " + std::to_string(i) + "\n";
    after += "after " + std::to_string(i) + "\n";
  }
  EXPECT_EQ(line_difference(before, after).size(), 4002U);
}

}  // namespace
}  // namespace flox::server
