#include "base/settings/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "base/error.h"

namespace flox {
namespace {

struct ExampleOptions : SettingGroup {
  ExampleOptions() : SettingGroup("Example") {}
  Size room = declare(room, {.key = "example_room", .option = "--room", .help = "How much."}, {1 << 20});
  std::vector<std::string> names = declare(names, {.option = "--name", .help = "Who."});
  size_t people = declare(people, {.key = "example_people", .help = "How many."}, 2);
};

TEST(SettingOptions, set_the_settings_that_have_an_option) {
  ExampleOptions example;
  CLI::App app;
  add_setting_options(app, example);
  app.parse("--room 2G --name ada --name \"grace hopper\"");
  EXPECT_EQ(example.room.bytes, 2ULL << 30);
  EXPECT_THAT(example.names, testing::ElementsAre("ada", "grace hopper"));
  EXPECT_THROW(app.parse("--people 3"), CLI::ParseError);
}

TEST(SettingOptions, name_themselves_when_a_value_is_refused) {
  ExampleOptions example;
  CLI::App app;
  add_setting_options(app, example);
  try {
    app.parse("--room much");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("--room: 'much'"));
  }
}

TEST(SettingOptions, show_what_the_setting_is_as_their_default) {
  ExampleOptions example;
  example.room = {3ULL << 30};
  CLI::App app;
  add_setting_options(app, example);
  EXPECT_THAT(app.help(), testing::HasSubstr("--room SIZE=3G"));
}

}  // namespace
}  // namespace flox
