#include "base/data/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/error_of.h"
#include "testing/repeated.h"

namespace flox {
namespace {

std::string json_error(std::string_view text, const JsonLimits& limits = {}) {
  return error_of([&] { parse_json(text, "lock", limits); });
}

TEST(Json, ReadsWhatTheLibraryReads) {
  for (const char* text :
       {"{}", "[]", "null", "true", "-1.5e3", "18446744073709551615", "-9223372036854775808",
        "\"\\u00e9\\n\"", R"({"a":[1,{"b":null},"]}"],"c":{"a":false}})", " [ 1 , 2 ] "}) {
    EXPECT_EQ(parse_json(text, "t"), nlohmann::json::parse(text)) << text;
    EXPECT_EQ(parse_ordered_json(text, "t"), nlohmann::ordered_json::parse(text)) << text;
  }
}

TEST(Json, KeepsTheOrderOfMembersWhereAsked) {
  EXPECT_EQ(parse_ordered_json(R"({"z":1,"a":{"y":2,"b":3}})", "t").dump(), R"({"z":1,"a":{"y":2,"b":3}})");
}

TEST(Json, SaysLineAndColumn) {
  EXPECT_THAT(json_error("{\n  \"a\": nul\n}"), testing::StartsWith("lock:2:"));
  EXPECT_EQ(json_error("[\n[[[1]]]]", {.depth = 3}), "lock:2:3: nested more than 3 levels deep");
  EXPECT_EQ(json_error("{\"a\":1,\n \"b\":{\"a\":1},\n \"a\":2}"), "lock:3:5: 'a' stands twice");
  EXPECT_EQ(json_error("[1,\n2,3]", {.values = 3}), "lock:2:2: more than 3 members and elements");
  EXPECT_EQ(json_error("[1,12345]", {.number = 4}), "lock:1:4: a number of more than 4 characters");
  EXPECT_EQ(json_error("12345", {.bytes = 4}), "lock: 5 bytes are over the limit of 4");
}

TEST(Json, RefusesWhatIsNoJson) {
  for (const char* text : {"", "{", "[1", "[1]]", "{\"a\"}", "nan", "1e999", "\"\xff\"", "\"\\ud800\"", "'a'",
                           "{} x", "\"a\nb\""})
    EXPECT_THAT(json_error(text), testing::StartsWith("lock:1:")) << text;
}

TEST(Json, AMillionLevelsAreRefusedBeforeAnythingIsBuilt) {
  EXPECT_EQ(json_error(repeated("[", 1'000'000)), "lock:1:65: nested more than 64 levels deep");
  EXPECT_EQ(json_error(repeated("{\"a\":", 1'000'000)), "lock:1:321: nested more than 64 levels deep");
  EXPECT_EQ(json_error("{\"metadata\":" + repeated("[{\"a\":", 500'000) + "1"),
            "lock:1:200: nested more than 64 levels deep");
}

TEST(Json, BracketsInStringsDoNotCount) {
  EXPECT_EQ(parse_json("\"" + repeated("[{", 1000) + "\"", "t").get<std::string>().size(), 2000);
  EXPECT_EQ(parse_json(R"(["\"[[[", "\\"])", "t", {.depth = 1}).size(), 2);
}

TEST(Json, ManyMembersTakeLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 200'000; ++i) text += fmt::format("{}\"k{}\":0", i == 0 ? "" : ",", i);
  EXPECT_EQ(parse_ordered_json(text + "}", "t").size(), 200'000);
}

TEST(Json, MembersOfTheWrongTypeAreSaid) {
  const auto object = parse_json(R"({"a":5,"n":null})", "t");
  EXPECT_EQ(optional_string(object, "n", "t", "none"), "none");
  EXPECT_EQ(optional_string(object, "z", "t", "none"), "none");
  EXPECT_THROW(string_member(object, "a", "t"), Error);
  EXPECT_THROW(optional_string(object, "a", "t"), Error);
  EXPECT_THROW(member(object, "z", "t"), Error);
  EXPECT_THROW(member(parse_json("[]", "t"), "z", "t"), Error);
}

}  // namespace
}  // namespace flox
