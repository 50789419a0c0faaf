#include "reference/settings_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/os/file.h"
#include "node/floxd/config.h"

namespace flox::reference {
namespace {

TEST(SettingsPage, is_what_the_declarations_say) {
  EXPECT_EQ(read_file(fs::path(FLOX_SOURCE_DIR) / "docs/reference/settings.md"), settings_page())
      << "write it anew: script/reference";
}

TEST(SettingsPage, explains_every_key_in_a_sentence) {
  const std::string page = settings_page();
  Config config;
  for (const SettingGroup* group : config.groups())
    for (const Setting& setting : group->settings()) {
      EXPECT_THAT(page, testing::HasSubstr("| `" + setting.key + "` |"));
      EXPECT_TRUE(setting.help.ends_with('.')) << setting.key;
      EXPECT_EQ(setting.help.find_first_of("\n|"), std::string::npos) << setting.key;
    }
}

TEST(SettingsPage, shows_an_example_that_is_accepted) {
  const TempDir dir;
  write_file(dir.path() / "config.toml", example_config());
  ::setenv("FLOX_CONFIG", (dir.path() / "config.toml").c_str(), 1);
  EXPECT_EQ(Config::load().gc_min_free.bytes, 20ULL << 30);
  ::unsetenv("FLOX_CONFIG");
}

}  // namespace
}  // namespace flox::reference
