#include "base/settings/units.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace flox {
namespace {

TEST(Units, are_read_and_written_as_people_do) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("1.5k"), 1536u);
  EXPECT_EQ(parse_size("2MiB"), 2u << 20);
  EXPECT_EQ(parse_size("3GB"), 3ULL << 30);
  for (const char* text : {"", "G", "1 G", "1GG", "99999999999E"})
    EXPECT_THROW(parse_size(text), Error) << text;
  EXPECT_EQ(size_text(1023), "1023 B");
  EXPECT_EQ(size_text(1536), "1.5 KiB");
  EXPECT_EQ(size_text(20ULL << 30), "20.0 GiB");
  EXPECT_EQ(parse_duration("90"), std::chrono::seconds(90));
  EXPECT_EQ(parse_duration("2w"), std::chrono::hours(336));
  EXPECT_EQ(parse_duration("0.001s"), std::chrono::seconds(1));
  EXPECT_EQ(parse_duration("0"), std::chrono::seconds(0));
  EXPECT_EQ(duration_text(std::chrono::seconds(0)), "0 s");
  EXPECT_EQ(duration_text(std::chrono::seconds(59)), "59 s");
  EXPECT_EQ(duration_text(std::chrono::seconds(200)), "3 min 20 s");
  EXPECT_EQ(duration_text(std::chrono::minutes(125)), "2 h 5 min");
  EXPECT_EQ(duration_text(std::chrono::hours(76)), "3 d 4 h");
}

TEST(Units, are_written_so_that_they_read_as_the_same) {
  EXPECT_EQ(exact_size_text(0), "0");
  EXPECT_EQ(exact_size_text(1000), "1000");
  EXPECT_EQ(exact_size_text(256 << 10), "256K");
  EXPECT_EQ(exact_size_text(32ULL << 30), "32G");
  EXPECT_EQ(exact_duration_text(std::chrono::seconds(0)), "0s");
  EXPECT_EQ(exact_duration_text(std::chrono::seconds(90)), "90s");
  EXPECT_EQ(exact_duration_text(std::chrono::minutes(15)), "15m");
  EXPECT_EQ(exact_duration_text(std::chrono::hours(24)), "1d");
}

TEST(Units, without_a_unit_count_the_one_of_the_setting) {
  EXPECT_EQ(parse_duration("24", std::chrono::hours(1)), std::chrono::hours(24));
  EXPECT_EQ(parse_duration("24m", std::chrono::hours(1)), std::chrono::minutes(24));
}

TEST(Units, of_a_count_one_is_no_plural) {
  EXPECT_EQ(count_text(0, "path"), "0 paths");
  EXPECT_EQ(count_text(1, "path"), "1 path");
  EXPECT_EQ(count_text(2, "store path"), "2 store paths");
}

}  // namespace
}  // namespace flox
