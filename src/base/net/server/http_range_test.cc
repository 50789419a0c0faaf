#include "base/net/server/http_range.h"

#include <gtest/gtest.h>

namespace flox {
namespace {

// What a body of ten bytes is answered with: "STATUS FIRST+SIZE CONTENT-RANGE".
std::string answer(const std::map<std::string, std::string>& headers, const std::string& method = "GET") {
  ServerResponse response;
  const auto part = choose_range({.method = method, .headers = headers}, 10, "digest", response);
  EXPECT_EQ(response.headers["Accept-Ranges"], "bytes");
  EXPECT_EQ(response.headers["ETag"], "\"digest\"");
  return std::to_string(response.status) +
         (part ? " " + std::to_string(part->first) + "+" + std::to_string(part->size) : "") + " " +
         response.headers["Content-Range"];
}

TEST(HttpRange, one_range_is_answered_with_that_part) {
  EXPECT_EQ(answer({{"range", "bytes=0-0"}}), "206 0+1 bytes 0-0/10");
  EXPECT_EQ(answer({{"range", "bytes=3-5"}}), "206 3+3 bytes 3-5/10");
  EXPECT_EQ(answer({{"range", "bytes=3-"}}), "206 3+7 bytes 3-9/10");
  EXPECT_EQ(answer({{"range", "bytes=3-99999999999999999999999"}}), "206 3+7 bytes 3-9/10");
  EXPECT_EQ(answer({{"range", "bytes=-4"}}), "206 6+4 bytes 6-9/10");
  EXPECT_EQ(answer({{"range", "bytes=-40"}}), "206 0+10 bytes 0-9/10");
}

TEST(HttpRange, what_lies_beyond_the_end_is_refused) {
  EXPECT_EQ(answer({{"range", "bytes=10-"}}), "416 bytes */10");
  EXPECT_EQ(answer({{"range", "bytes=99999999999999999999999-"}}), "416 bytes */10");
  EXPECT_EQ(answer({{"range", "bytes=-0"}}), "416 bytes */10");
}

TEST(HttpRange, what_is_no_single_range_is_answered_with_the_whole) {
  for (const char* range : {"", "bytes", "bytes=", "bytes=-", "bytes=x-3", "bytes=3-x", "bytes=5-3",
                            "bytes=1-2,4-5", "bytes= 1-2", "bytes=+1-2", "lines=1-2"})
    EXPECT_EQ(answer({{"range", range}}), "200 0+10 ") << range;
  EXPECT_EQ(answer({}), "200 0+10 ");
  EXPECT_EQ(answer({{"range", "bytes=3-5"}}, "HEAD"), "200 0+10 ") << "ranges are a matter of GET";
}

TEST(HttpRange, a_range_of_another_body_is_answered_with_the_whole) {
  EXPECT_EQ(answer({{"range", "bytes=3-5"}, {"if-range", "\"digest\""}}), "206 3+3 bytes 3-5/10");
  for (const char* other : {"\"other\"", "W/\"digest\"", "digest", "Sat, 28 Nov 2026 01:36:40 GMT"})
    EXPECT_EQ(answer({{"range", "bytes=3-5"}, {"if-range", other}}), "200 0+10 ") << other;
}

}  // namespace
}  // namespace flox
