#include "base/settings/setting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/error.h"
#include "base/os/file.h"
#include "base/settings/explain.h"
#include "base/settings/read.h"

namespace flox {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Example : SettingGroup {
  Example() : SettingGroup("Example") {}
  Size room = declare(room, {.key = "example_room", .option = "--room", .help = "How much."}, {1 << 20});
  std::vector<std::string> names = declare(names, {.key = "example_names", .help = "Who."});
  Secret token = declare(token, {.key = "example_token", .help = "What nobody sees."});
  size_t people = declare(people, {.option = "--people", .help = "How many.", .least = 1, .most = 8}, 2);
  std::string home = declare(home, {.variable = "EXAMPLE_HOME", .help = "Where."}, "/home");

  const Setting& operator[](std::string_view name) const {
    for (const Setting& setting : settings())
      if (setting.name() == name) return setting;
    throw std::out_of_range(std::string(name));
  }
};

TEST(Setting, has_its_default_until_it_is_set) {
  Example example;
  EXPECT_EQ(example.room.bytes, 1u << 20);
  example["example_room"].set_from_text("2G");
  EXPECT_EQ(example.room.bytes, 2ULL << 30);
  EXPECT_EQ(example["example_room"].fallback, "1M");
}

TEST(Setting, keeps_its_value_if_a_new_one_is_refused) {
  Example example;
  EXPECT_THROW(example["example_room"].set_from_text("much"), Error);
  for (const char* text : {"0", "9", "-1", "x", ""})
    EXPECT_THROW(example["--people"].set({text}), Error) << text;
  EXPECT_EQ(example.room.bytes, 1u << 20);
  EXPECT_EQ(example.people, 2u);
}

TEST(Setting, that_is_a_list_is_split_at_white_space_in_a_variable_only) {
  Example example;
  example["example_names"].set_from_text("  ada\tgrace \n edsger ");
  EXPECT_THAT(example.names, ElementsAre("ada", "grace", "edsger"));
  example["example_names"].set({"ada lovelace"});
  EXPECT_THAT(example.names, ElementsAre("ada lovelace"));
}

TEST(Setting, has_a_variable_of_its_key_s_name_unless_told) {
  const Example example;
  EXPECT_EQ(example["example_room"].variable, "FLOX_EXAMPLE_ROOM");
  EXPECT_EQ(example["EXAMPLE_HOME"].variable, "EXAMPLE_HOME");
  EXPECT_EQ(example["--people"].variable, "");
}

TEST(Setting, of_a_variable_names_the_variable_when_it_is_refused) {
  Example example;
  SettingGroup* const groups[] = {&example};
  ::setenv("FLOX_EXAMPLE_ROOM", "much", 1);
  try {
    read_variables(groups);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("FLOX_EXAMPLE_ROOM: 'much'"));
  }
  ::unsetenv("FLOX_EXAMPLE_ROOM");
}

TEST(Setting, that_has_no_key_is_unknown_in_the_file) {
  const TempDir dir;
  write_file(dir.path() / "config.toml", "\"--people\" = 3\n");
  ::setenv("FLOX_CONFIG", (dir.path() / "config.toml").c_str(), 1);
  Example example;
  SettingGroup* const groups[] = {&example};
  EXPECT_THROW(read_settings(groups), Error);
  ::unsetenv("FLOX_CONFIG");
}

TEST(Setting, that_is_secret_is_never_shown) {
  Example example;
  example["example_token"].set_from_text("s3cret");
  EXPECT_EQ(example.token.reveal(), "s3cret");
  EXPECT_EQ(example["example_token"].text(), "");
  EXPECT_EQ(std::get<std::string>(example["example_token"].value()), "(set)");
  EXPECT_THAT(settings_table(example), Not(HasSubstr("s3cret")));
}

TEST(Setting, stands_in_a_table_under_the_names_that_it_has) {
  EXPECT_EQ(settings_table(Example()),
            "| key | variable | option | type | default | meaning |\n"
            "|---|---|---|---|---|---|\n"
            "| `example_room` | `FLOX_EXAMPLE_ROOM` | `--room` | size | `1M` | How much. |\n"
            "| `example_names` | `FLOX_EXAMPLE_NAMES` |  | list |  | Who. |\n"
            "| `example_token` | `FLOX_EXAMPLE_TOKEN` |  | secret |  | What nobody sees. |\n"
            "|  |  | `--people` | number from 1 to 8 | `2` | How many. |\n"
            "|  | `EXAMPLE_HOME` |  | text | `/home` | Where. |\n");
}

}  // namespace
}  // namespace flox
