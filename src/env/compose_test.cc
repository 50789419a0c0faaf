#include "env/compose.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "env/include.h"

namespace flox::env {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json parsed(const std::string& toml) { return Manifest::parse("version = 1\n" + toml, "m.toml").json; }
IncludedManifest low(const std::string& toml, const std::string& name = "low") {
  return {.name = name, .manifest = parsed(toml), .descriptor = json::object()};
}
std::vector<std::string> overridden(const ComposedManifest& composed) {
  std::vector<std::string> result;
  for (const json& one : composed.warnings) {
    std::string line = one.at("higher_priority_name").get<std::string>() + ":";
    for (const json& key : one.at("warning").at("Overriding")) line += " " + key.get<std::string>();
    result.push_back(line);
  }
  return result;
}

TEST(Compose, entries_replace_those_of_the_same_name_whole) {
  const auto composed = compose(
      parsed("[install]\na.pkg-path = 'mine'\n[vars]\nX = '3'\n[build.b]\ncommand = 'mine'\n"),
      {low("[install]\na.pkg-path = 'low'\na.version = '1'\nc.pkg-path = 'c'\n[vars]\nX = '1'\nY = '1'\n"
           "[build.b]\ncommand = 'low'\nversion = '1'\n"),
       low("[vars]\nY = '2'\n[services]\nauto-start = true\ns.command = 's'\n", "middle")});
  EXPECT_EQ(composed.manifest["install"], json::parse(R"({"a":{"pkg-path":"mine"},"c":{"pkg-path":"c"}})"));
  EXPECT_EQ(composed.manifest["vars"], json::parse(R"({"X":"3","Y":"2"})"));
  EXPECT_EQ(composed.manifest["build"]["b"], json::parse(R"({"command":"mine"})"));
  EXPECT_EQ(composed.manifest["services"]["auto-start"], true);
  EXPECT_THAT(overridden(composed),
              testing::ElementsAre("middle: vars Y", "Current manifest: install a",
                                   "Current manifest: vars X", "Current manifest: build b"));
}

TEST(Compose, scripts_follow_each_other_and_are_taken_down_in_reverse) {
  const auto composed = compose(
      parsed("[hook]\non-activate = 'high'\non-deactivate = 'high'\n[profile]\nbash = 'high'\n"
             "[profile.deactivate]\nzsh = 'high'\n"),
      {low("[hook]\non-activate = 'low'\non-deactivate = 'low'\n[profile]\nbash = 'low'\nfish = 'low'\n"
           "[profile.deactivate]\nzsh = 'low'\n")});
  EXPECT_EQ(composed.manifest["hook"],
            json::parse(R"({"on-activate":"low\nhigh","on-deactivate":"high\nlow"})"));
  EXPECT_EQ(composed.manifest["profile"],
            json::parse(R"({"bash":"low\nhigh","fish":"low","deactivate":{"zsh":"high\nlow"}})"));
  EXPECT_TRUE(composed.warnings.empty());
}

TEST(Compose, options_count_each_for_itself) {
  const auto composed =
      compose(parsed("[options]\nallow.broken = true\nallow.licenses = []\nsystems = ['x86_64-linux']\n"),
              {low("[options]\nallow.broken = false\nallow.unfree = false\nactivate.mode = 'run'\n"
                   "systems = ['aarch64-linux']\n")});
  EXPECT_EQ(composed.manifest["options"],
            json::parse(R"({"allow":{"broken":true,"licenses":[],"unfree":false},"activate":{"mode":"run"},)"
                        R"("systems":["x86_64-linux"]})"));
  EXPECT_THAT(overridden(composed), testing::ElementsAre("Current manifest: options allow broken",
                                                         "Current manifest: options systems"));
}

TEST(Compose, containers_join_their_ports_and_labels) {
  const auto composed = compose(
      parsed("[containerize.config]\nuser = 'b'\nexposed-ports = ['2']\nlabels = { x = '2' }\n"),
      {low("[containerize.config]\nuser = 'a'\nexposed-ports = ['1', '2']\nlabels = { x = '1', y = '1' }\n"
           "cmd = ['c']\n")});
  EXPECT_EQ(composed.manifest["containerize"]["config"],
            json::parse(R"({"user":"b","exposed-ports":["1","2"],"labels":{"x":"2","y":"1"},"cmd":["c"]})"));
}

TEST(Compose, the_composed_manifest_has_the_highest_version_and_no_include) {
  const auto composed =
      compose(json{{"schema-version", "1.10.0"}, {"include", {{"environments", json::array()}}}},
              {low("[vars]\nA = '1'\n")});
  EXPECT_EQ(composed.manifest, json::parse(R"({"schema-version":"1.10.0","vars":{"A":"1"}})"));
}

TEST(Compose, refuses_includes_that_are_none_with_their_place) {
  const auto refusal = [](const std::string& list) -> std::string {
    try {
      Manifest::parse("version = 1\n[include]\nenvironments = " + list + "\n", "m.toml");
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal("[{ dir = 'a' }, { dir = 'a', remote = 'a/b' }]"), HasSubstr("m.toml:3:32: "));
  EXPECT_THAT(refusal("[{ name = 'a' }]"), HasSubstr("m.toml:3:17: each of include.environments needs"));
  EXPECT_THAT(refusal("[{ dir = 'a', generation = 3 }]"), HasSubstr("m.toml:3:"));
  EXPECT_THAT(refusal("[{ remote = 'a/b', generation = 0 }]"), HasSubstr("m.toml:3:"));
  EXPECT_THAT(refusal("[{ remote = '' }]"), HasSubstr("must not be empty"));
  EXPECT_THAT(refusal("[{ dir = 'a', url = 'b' }]"), HasSubstr("unknown key 'url'"));
  EXPECT_THAT(refusal("'a'"), HasSubstr("m.toml:3:16: "));
  EXPECT_EQ(refusal("[{ dir = 'a', name = 'n' }, { remote = 'a/b', generation = 3 }]"), "accepted");
  Manifest many;
  many.json["include"]["environments"] = std::vector<json>(101, json{{"dir", "a"}});
  EXPECT_THROW(includes_of(many), Error);
}

TEST(Compose, the_description_is_the_including_manifests_and_groups_replace_each_other) {
  const auto composed =
      compose(parsed("[pkg-groups.a]\nstability = 'stable'\n[options]\nstability = 'stable'\n"),
              {low("description = 'low'\n[pkg-groups.a]\nstability = 'x'\n[pkg-groups.b]\nstability = 'y'\n"
                   "[options]\nstability = 'z'\nactivate.upgrade-notifications = false\n")});
  EXPECT_FALSE(composed.manifest.contains("description"));
  EXPECT_EQ(composed.manifest["pkg-groups"],
            json::parse(R"({"a":{"stability":"stable"},"b":{"stability":"y"}})"));
  EXPECT_EQ(composed.manifest["options"]["stability"], "stable");
  EXPECT_EQ(composed.manifest["options"]["activate"]["upgrade-notifications"], false);
  EXPECT_EQ(compose(parsed("description = 'mine'"), {low("description = 'low'")}).manifest["description"],
            "mine");
}

TEST(Compose, a_package_comes_from_the_last_environment_that_has_it_unless_the_manifest_itself_has_it) {
  const json compose = json::parse(R"({"composer":{"install":{"mine":{}}},"warnings":[],"include":[
    {"name":"low","manifest":{"install":{"mine":{},"a":{},"b":{}}}},
    {"name":"high","manifest":{"install":{"b":{}}}},{"name":"none","manifest":{"schema-version":"1.10.0"}}]})");
  EXPECT_EQ(included_packages(compose), (std::map<std::string, std::string>{{"a", "low"}, {"b", "high"}}));
  for (const char* odd :
       {"null", "7", "[]", "{}", R"({"include":7})", R"({"include":[7,{"name":7}],"composer":[]})"})
    EXPECT_TRUE(included_packages(json::parse(odd)).empty()) << odd;
}

}  // namespace
}  // namespace flox::env
