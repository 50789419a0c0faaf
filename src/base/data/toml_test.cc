#include "base/data/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/error_of.h"
#include "testing/repeated.h"

namespace flox {
namespace {

std::string toml_error(std::string_view text, const TomlLimits& limits = {}) {
  return error_of([&] { parse_toml(text, "manifest.toml", limits); });
}

TEST(Toml, AMillionLevelsAreRefusedWhateverMakesThem) {
  const size_t million = 1'000'000;
  const TomlLimits large{.bytes = 1 << 30, .values = 1 << 30};
  for (const std::string& text :
       {"a = " + repeated("[", million), "a = " + repeated("{a=", million), repeated("a.", million) + "a = 1",
        "[" + repeated("a.", million) + "a]", "[[" + repeated("a.", million) + "a]]",
        repeated("\"a\" . ", million) + "a = 1", "a = " + repeated("{a.b.c.d=[", million),
        "a = [\n" + repeated("[\n", million), "x = {" + repeated("a.", million) + "b = 1}"})
    EXPECT_THAT(toml_error(text, large), testing::HasSubstr("nested more than 64 levels deep"))
        << text.substr(0, 20);
  EXPECT_EQ(toml_error("\na = " + repeated("[", 100)), "manifest.toml:2:69: nested more than 64 levels deep");
}

TEST(Toml, LimitsOfSizeAndNumber) {
  EXPECT_EQ(toml_error("a = 1", {.bytes = 4}), "manifest.toml: 5 bytes are over the limit of 4");
  EXPECT_EQ(toml_error("a = [1,\n2,3]", {.values = 3}), "manifest.toml:2:2: more than 3 keys and values");
}

TEST(Toml, WhatOnlyLooksDeepIsRead) {
  const std::string dots = repeated(".", 100), brackets = repeated("[{", 100);
  for (const std::string& text :
       {"a = \"" + brackets + dots + "\"", "a = '" + brackets + dots + "'",
        "# " + brackets + dots + "\na = 1", "a = \"\"\"\n" + brackets + dots + "\n\"quoted\" \\\"\"\"\"",
        "a = '''" + brackets + "'" + dots + "'''", "a = [" + repeated("1.5, ", 100) + "]",
        std::string("a.b.c = 1.5\n[x.y]\n[x.z]\n"), std::string("a = [{b.c = 1}, {b.c = 2}, {b.c = 3}]"),
        std::string("a = \"\\\\\"\nb = 1")})
    EXPECT_EQ(toml_error(text), "no error") << text;
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += fmt::format("a{}.b.c = 1.25\n", i);
  EXPECT_EQ(toml_error(lines), "no error");
}

}  // namespace
}  // namespace flox
