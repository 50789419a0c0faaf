#include "env/references.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "env/vars.h"
#include "testing/error_of.h"

namespace flox::env {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(const std::string& text) {
  return error_of([&] { refuse_references(Manifest::parse("version = 1\n" + text, "m.toml")); });
}
std::string unusable(const std::string& text) {
  return error_of([&] { refuse_unusable(Manifest::parse("version = 1\n" + text, "m.toml")); });
}

TEST(References, variables_that_name_each_other_in_a_circle_are_refused_with_their_place) {
  EXPECT_EQ(refusal("[vars]\nZ = '$A'\nA = '$B'\nB = '${C:-x}'\n  C = '$A'\n"),
            "m.toml:4:1: variables of [vars] name each other in a circle: A → B → C → A");
  EXPECT_EQ(refusal("[vars]\nPATH = '$HOME/bin:$PATH'\nA = '$PATH'\n"), "no error");
  std::string many = "[vars]\n";
  for (int i = 0; i < 20; ++i) many += fmt::format("V{:02} = '$V{:02}'\n", i, (i + 1) % 20);
  EXPECT_THAT(refusal(many), HasSubstr("V08 → V09 → … → V00"));
}

TEST(References, what_cannot_be_expanded_is_refused_where_it_is_used) {
  const std::string text = "[vars]\nA = 'a'\nB = '$(pwd)'\n";
  EXPECT_EQ(refusal(text), "no error");
  EXPECT_THAT(unusable(text),
              StartsWith("m.toml:4:1: the manifest's variable value '$(pwd)' cannot be used"));
  std::map<std::string, std::string> set;
  EXPECT_THAT(error_of([&] { set_vars({{"B", "$(pwd)"}}, set); }), StartsWith("[vars] B: "));
}

TEST(References, services_that_wait_for_themselves_or_for_what_is_not_there_are_refused_with_their_place) {
  const std::string waits = " = { condition = 'process_started' }\n";
  EXPECT_EQ(refusal("[services.a]\ncommand = 'x'\ndepends-on.b" + waits),
            "m.toml:4:12: [services] a: it depends on 'b', which is not defined");
  // a waits for a circle, and is not in it.
  EXPECT_EQ(refusal("[services]\na.command = 'x'\na.depends-on.b" + waits +
                    "b.command = 'x'\nb.depends-on.c" + waits + "c.command = 'x'\nc.depends-on.b" + waits),
            "m.toml:6:14: [services] b: it waits for itself by depends-on: b → c → b");
  EXPECT_THAT(refusal("[services]\na.command = 'x'\na.depends-on.a" + waits), HasSubstr("depends-on: a → a"));
}

TEST(References, what_an_included_manifest_brings_has_the_place_of_include) {
  Manifest merged = Manifest::from_json(
      {{"vars", {{"A", "$B"}, {"B", "$A"}}},
       {"services",
        {{"a", {{"command", "x"}, {"depends-on", {{"b", {{"condition", "process_started"}}}}}}}}}});
  merged.places = Manifest::parse("version = 1\n[include]\nenvironments = []\n", "m.toml").places;
  EXPECT_THAT(error_of([&] { refuse_references(merged); }), StartsWith("m.toml:2:2: variables"));
  merged.vars.clear();
  EXPECT_THAT(error_of([&] { refuse_references(merged); }),
              StartsWith("m.toml:2:2: [services] a: it depends"));
}

}  // namespace
}  // namespace flox::env
