#include "env/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::env {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string complaint(std::string_view toml, const std::string& name = "manifest.toml") {
  try {
    Manifest::parse(toml, name);
    return "nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
    return error.what();
  }
}

TEST(Manifest, gives_what_its_tables_say) {
  Manifest manifest = Manifest::parse(R"(
schema-version = "1.12.0"
[install]
rg.pkg-path = "ripgrep"
web = { pkg-path = "acme/web", version = "^2", priority = 3 }
[vars]
PORT = "8080"
[hook]
on-activate = """
  echo one
    echo two
"""
[build.web]
command = "make"
version = "1.0"
runtime-packages = ["rg"]
[options]
systems = ["x86_64-linux"]
activate.mode = "run"
)",
                                      "manifest.toml");
  EXPECT_EQ(manifest.install.at("rg").pkg_path, "ripgrep");
  EXPECT_EQ(manifest.install.at("web").version, "^2");
  EXPECT_EQ(manifest.install.at("web").priority, 3);
  EXPECT_EQ(manifest.vars.at("PORT"), "8080");
  EXPECT_EQ(manifest.hook_on_activate, "echo one\n  echo two\n");
  EXPECT_THAT(manifest.build.at("web").runtime_packages, ElementsAre("rg"));
  EXPECT_EQ(manifest.build.at("web").sandbox, "off");
  EXPECT_EQ(manifest.places.at("build.web.version"), "manifest.toml:15:1");
  EXPECT_THAT(manifest.systems, ElementsAre("x86_64-linux"));
  EXPECT_EQ(manifest.activate_mode, "run");
}

TEST(Manifest, with_a_mistake_is_refused_with_line_and_column) {
  EXPECT_THAT(complaint("version = 1\n[install\n"), HasSubstr("manifest.toml:2:"));
  EXPECT_THAT(complaint("version = 1\n[instal]\n"), HasSubstr("manifest.toml:2:1: unknown key 'instal'"));
  EXPECT_THAT(complaint("version = 1\n[install]\nx.pkg-pth = \"y\"\n"), HasSubstr("manifest.toml:3:"));
  EXPECT_THAT(complaint("version = 1\n[vars]\nPORT = 8080\n"), HasSubstr("must be a string"));
  EXPECT_THAT(complaint("version = 1\n[install]\nx.version = \"1\"\n"), HasSubstr("exactly one of pkg-path"));
  EXPECT_THAT(complaint("version = 2\n"), HasSubstr("version must be 1"));
  const auto of_build = [](const std::string& line) {
    return complaint("version = 1\n[build.x]\ncommand = 'make'\n" + line + "\n");
  };
  for (const char* version : {"2024-11-28", "1.5", "7", "true", "07:32:00", "['1']"})
    EXPECT_THAT(of_build(fmt::format("version = {}", version)),
                HasSubstr("manifest.toml:4:11: [build.x].version must be a string: write it in quotes"));
  EXPECT_THAT(of_build("version = {file = 'a', command = 'b'}"),
              HasSubstr("needs exactly one of file, command"));
  EXPECT_THAT(of_build("version = {}"), HasSubstr("manifest.toml:4:11: [build.x].version needs exactly one"));
  EXPECT_THAT(of_build("version.path = 'a'"), HasSubstr("unknown key 'path' in [build.x].version"));
  EXPECT_THAT(of_build("version.file = 1.5"), HasSubstr("[build.x].version.file must be a string"));
  EXPECT_THAT(of_build("sandbox = 'clean'"),
              HasSubstr("manifest.toml:4:11: [build.x].sandbox must be one of"));
  EXPECT_THAT(of_build("license = [1]"), HasSubstr("each of [build.x].license must be a string"));
  EXPECT_THAT(of_build("sandbox-allow = '~/x'"),
              HasSubstr("[build.x].sandbox-allow must be a list of strings"));
  EXPECT_THAT(complaint("[install]\n"), HasSubstr("needs version = 1 or schema-version"));
}

TEST(Manifest, of_a_lock_may_have_keys_that_we_do_not_know) {
  EXPECT_NO_THROW(Manifest::from_json(
      {{"schema-version", "9.0.0"}, {"future", {{"x", 1}}}, {"install", {{"a", {{"pkg-path", "a"}}}}}}));
}

TEST(InitialManifest, is_a_good_one) {
  EXPECT_TRUE(Manifest::parse(initial_manifest(), "m").install.empty());
}

TEST(Manifest, has_what_later_schemas_add) {
  const Manifest manifest = Manifest::parse(
      "schema-version = '1.19.0'\ndescription = 'for the team'\n[install]\na = { pkg-path = 'a', pkg-group = "
      "'g' }\n"
      "[pkg-groups.g]\nstability = 'staging'\n[options]\nstability = 'stable'\n"
      "activate = { mode = 'run', upgrade-notifications = false }\n",
      "m.toml");
  EXPECT_EQ(manifest.activate_mode, "run");
  EXPECT_EQ(manifest.place_of("pkg-groups.g"), "m.toml:5:13");
}

TEST(Manifest, options_and_groups_that_are_wrong_are_refused_with_their_place) {
  const auto refusal = [](const std::string& text) -> std::string {
    try {
      Manifest::parse("version = 1\n" + text, "m.toml");
    } catch (const Error& error) {
      return error.what() + (" " + error.advice());
    }
    return "accepted";
  };
  using testing::HasSubstr;
  EXPECT_THAT(refusal("description = 7"), HasSubstr("m.toml:2:15: description must be a string"));
  EXPECT_THAT(refusal("[options]\nactivate.mode = 'prod'"), HasSubstr("m.toml:3:17: "));
  EXPECT_THAT(refusal("[options]\nactivate.mod = 'dev'"), HasSubstr("Did you mean mode?"));
  EXPECT_THAT(refusal("[options]\nallow.unfree = 'yes'"), HasSubstr("allow.unfree must be true or false"));
  EXPECT_THAT(refusal("[options]\nallow = true"), HasSubstr("[options] allow must be a table"));
  EXPECT_THAT(refusal("[options]\nallow.license = ['MIT']"), HasSubstr("Did you mean licenses?"));
  EXPECT_THAT(refusal("[options]\nsemver.allow-pre-releases = 1"), HasSubstr("must be true or false"));
  EXPECT_THAT(refusal("[options]\ncuda-detection = 'no'"), HasSubstr("must be true or false"));
  EXPECT_THAT(refusal("[pkg-groups]\na = 'staging'"), HasSubstr("[pkg-groups] a must be a table"));
  EXPECT_THAT(refusal("[pkg-groups.a]\nstabilty = 'x'"), HasSubstr("Did you mean stability?"));
}

// What a lock could not say is refused where it is written, and not as something that the catalog has
// answered.
TEST(Manifest, names_and_priorities_that_no_lock_can_have_are_refused_with_their_place) {
  const auto entry = [&](const std::string& text) {
    return complaint("version = 1\n[install]\n" + text, "m.toml");
  };
  EXPECT_THAT(entry("\"a\\nb\".pkg-path = 'x'"), HasSubstr("m.toml:3:1: 'a\uFFFDb' cannot be an install id"));
  EXPECT_THAT(entry("'" + std::string(256, 'x') + "'.pkg-path = 'x'"), HasSubstr("m.toml:3:1: "));
  EXPECT_EQ(entry("'" + std::string(255, 'x') + "'.pkg-path = 'x'"), "nothing");
  EXPECT_EQ(entry("'ünï'.pkg-path = 'x'"), "nothing");
  EXPECT_THAT(entry("a.pkg-path = \"x\\u0007\""), HasSubstr("m.toml:3:14: [install] a.pkg-path cannot be"));
  EXPECT_THAT(entry("a = { pkg-path = 'x', version = \"1\\u202e\" }"), HasSubstr("a.version cannot be"));
  for (const char* number : {"-1", "1000001", "1.0", "'5'", "9223372036854775807"})
    EXPECT_THAT(entry(fmt::format("a.pkg-path = 'a'\na.priority = {}", number)),
                HasSubstr("m.toml:4:14: [install] a.priority must be a whole number from 0 to 1000000"));
  for (const char* number : {"0", "1000000", "0x10"})
    EXPECT_EQ(entry(fmt::format("a.pkg-path = 'a'\na.priority = {}", number)), "nothing");
}

TEST(Manifest, a_schema_version_is_one_of_flox) {
  for (const char* schema : {"1.10.0", "1.19.0", "1.25.0", "1.100.0"})
    EXPECT_EQ(complaint(fmt::format("schema-version = '{}'", schema)), "nothing");
  for (const char* schema :
       {"", "1", "1.9.0", "2.0.0", "2.10.0", "1.10", "1.010.0", "1.1x.0", "v1.10.0", "1..0"})
    EXPECT_THAT(complaint(fmt::format("# top\nschema-version = '{}'", schema), "m.toml"),
                testing::HasSubstr("m.toml:2:18: "));
  EXPECT_THAT(complaint("schema-version = '1.10.0'\nversion = 1", "m.toml"),
              testing::HasSubstr("m.toml:2:11: the manifest has both version and schema-version"));
}

TEST(Manifest, what_newcomers_write_gets_advice) {
  const auto advice = [](const std::string& text) -> std::string {
    try {
      Manifest::parse("version = 1\n" + text, "m.toml");
    } catch (const Error& error) {
      return error.advice();
    }
    return "accepted";
  };
  EXPECT_EQ(advice("[[services]]\ncommand = 'x'"), "Write the table's name in single brackets.");
  EXPECT_EQ(advice("[install]\nhello = 'hello'"), "Write hello.pkg-path = \"PACKAGE\".");
  EXPECT_EQ(advice("[vars]\nPORT = 8080"), "Write it in quotes.");
  EXPECT_EQ(advice("[instal]"), "Did you mean install?");
  EXPECT_EQ(advice("[install]\na.path = 'a'"), "Did you mean pkg-path?");
}

}  // namespace
}  // namespace flox::env
