#include "env/manifest_toml.h"

#include <gtest/gtest.h>

#include "env/manifest.h"

namespace flox::env {
namespace {

using nlohmann::json;

json read_again(const json& manifest) { return Manifest::parse(manifest_toml(manifest), "m.toml").json; }

TEST(ManifestToml, says_what_the_manifest_says) {
  const json manifest = Manifest::parse(R"(
schema-version = "1.10.0"
[install]
a.pkg-path = "a"
a.priority = 3
a.outputs = ["out", "dev"]
"with space".pkg-path = "b.c"
[vars]
QUOTES = "it's \"quoted\" with \\ and \t"
"A.B" = ""
[hook]
on-activate = """
  echo "one" 'two' '''three'''
	tab, back\\slash, $dollar
"""
[profile]
common = "last line without end\n\n"
[services]
auto-start = true
web.command = "run"
web.shutdown.timeout-seconds = 5
[options]
systems = []
[include]
environments = [{ dir = "../x" }, { remote = "a/b", generation = 3 }]
[plugins]
a.numbers = [1, 1.5, -9223372036854775808]
)",
                                        "m.toml")
                            .json;
  EXPECT_EQ(read_again(manifest), manifest);
}

TEST(ManifestToml, any_text_comes_back_as_it_was) {
  // Every character that could be taken for something else, in every order of two.
  const std::string awkward[] = {"'", "\"",   "\\",   "\n", "\r",  "\t",     " ",
                                 "#", "\x01", "\x7f", "ü",  "'''", "\"\"\"", "="};
  for (const std::string& first : awkward)
    for (const std::string& second : awkward)
      for (const std::string& text : {first + second, "x" + first + second, first + "x" + second + first}) {
        const json manifest = {{"version", 1}, {"hook", {{"on-activate", text}}}};
        EXPECT_EQ(read_again(manifest), manifest) << manifest_toml(manifest);
      }
}

TEST(ManifestToml, what_is_null_is_left_out) {
  EXPECT_EQ(manifest_toml({{"version", 1},
                           {"vars", nullptr},
                           {"install", {{"a", {{"pkg-path", "a"}, {"version", nullptr}}}}}}),
            manifest_toml({{"version", 1}, {"install", {{"a", {{"pkg-path", "a"}}}}}}));
}

}  // namespace
}  // namespace flox::env
