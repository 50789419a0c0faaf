#include "node/installer/toml_edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace flox::node {
namespace {

using testing::HasSubstr;

const std::string config = R"(# mine
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]  # the interface
    sandbox_image = "pause:3.6"   # old
    [plugins."io.containerd.grpc.v1.cri".containerd]
      runtimes.runc.runtime_type = "io.containerd.runc.v2"
)";
const TomlPath cri = {"plugins", "io.containerd.grpc.v1.cri"};

std::string set(std::string_view text, const TomlPath& path, const TomlValues& values) {
  return set_toml_values(text, path, values, "config.toml");
}

TEST(TomlEdit, changes_a_value_and_says_what_stood_there) {
  const std::string after = set(config, cri, {{"sandbox_image", "\"other\""}});
  EXPECT_THAT(after, HasSubstr("    sandbox_image = \"other\"  # flox node install; was: sandbox_image = "
                               "\"pause:3.6\"   # old\n"));
  EXPECT_EQ(undo_toml_edits(after), config);
}

TEST(TomlEdit, puts_what_is_missing_below_the_header) {
  const std::string after = set(config, cri, {{"enable", "true"}, {"list", R"(["a"])"}});
  EXPECT_THAT(after, HasSubstr("# the interface\n    enable = true  # flox node install\n    list = [\"a\"]  "
                               "# flox node install\n"));
  EXPECT_EQ(undo_toml_edits(after), config);
}

TEST(TomlEdit, takes_a_key_away) {
  const std::string after = set(config, cri, {{"sandbox_image", ""}});
  EXPECT_THAT(after, HasSubstr("\n      # flox node install; was: sandbox_image = \"pause:3.6\"   # old\n"));
  EXPECT_EQ(toml_value(after, {"plugins", "io.containerd.grpc.v1.cri", "sandbox_image"}, "x"), "");
  EXPECT_EQ(undo_toml_edits(after), config);
  EXPECT_EQ(set(config, cri, {{"not_there", ""}}), config);
}

TEST(TomlEdit, appends_a_table_that_is_not_there) {
  TomlPath registry = cri;
  registry.emplace_back("registry");
  const std::string after = set(config, registry, {{"config_path", "\"/certs\""}});
  EXPECT_EQ(toml_value(after, {"plugins", "io.containerd.grpc.v1.cri", "registry", "config_path"}, "x"),
            "'/certs'");
  EXPECT_TRUE(after.starts_with(config));
  EXPECT_EQ(undo_toml_edits(after), config);
}

TEST(TomlEdit, changes_nothing_twice) {
  for (const TomlPath& path : {cri, TomlPath{}, TomlPath{"plugins", "new"}}) {
    const std::string once = set(config, path, {{"version", "3"}, {"x", "\"y\""}});
    EXPECT_EQ(set(once, path, {{"version", "3"}, {"x", "\"y\""}}), once);
    EXPECT_EQ(undo_toml_edits(once), config);
  }
}

TEST(TomlEdit, keeps_what_others_have_written_since) {
  std::string after = set(config, {"new"}, {{"a", "1"}});
  after += "[theirs]\nb = 2\n";
  EXPECT_EQ(undo_toml_edits(after), config + "[theirs]\nb = 2\n");
}

TEST(TomlEdit, refuses_what_has_no_line_of_its_own) {
  for (const char* text : {"a = { b = 1 }\n", "a.b = 1\n", "a = 1\n"}) {
    try {
      set(text, {"a"}, {{"b", "2"}});
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
      EXPECT_THAT(error.advice(), HasSubstr("[a]\n  b = 2"));
    }
  }
  EXPECT_THROW(set("a = [\n", {"a"}, {{"b", "2"}}), Error);
}

TEST(TomlEdit, works_on_texts_without_a_last_newline_and_on_empty_ones) {
  EXPECT_EQ(set("[a]\nb = 1", {"a"}, {{"c", "2"}}), "[a]\n  c = 2  # flox node install\nb = 1\n");
  EXPECT_EQ(undo_toml_edits(set("", {"a"}, {{"c", "2"}})), "");
}

TEST(TomlEdit, is_not_led_astray_by_text_that_looks_like_a_header) {
  const std::string text = "[x]\ns = \"\"\"\n[a]\n\"\"\"\n";
  EXPECT_THROW(set(text, {"a"}, {{"b", "1"}}), Error);  // rather than a change of somebody's string
  EXPECT_EQ(toml_value(text, {"a"}, "x"), "");
}

}  // namespace
}  // namespace flox::node
