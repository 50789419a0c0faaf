#include "base/settings/write.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::HasSubstr;

struct Written : SettingGroup {
  Written() : SettingGroup("Written") {}
  std::string url = declare(url, {.key = "written_url", .help = "Where."});
  std::vector<std::string> keys = declare(keys, {.key = "written_keys", .help = "Whose."});
  Size room = declare(room, {.key = "written_room", .help = "How much."}, {5});
  Secret token = declare(token, {.key = "written_token", .help = "What nobody sees."});
};

class SettingsFile : public testing::Test {
 protected:
  void change(const std::vector<SettingChange>& changes) {
    Written settings;
    SettingGroup* const groups[] = {&settings};
    change_settings_file(file(), groups, changes);
  }
  fs::path file() const { return dir_.path() / "new/flox/config.toml"; }
  std::string text() const { return read_file(file()); }
  TempDir dir_;
};

TEST_F(SettingsFile, is_made_for_its_owner_alone) {
  change({{"written_url", "http://a b"}, {"written_keys", "k-1:A  k-2:B"}});
  EXPECT_EQ(text(), "written_url = \"http://a b\"\nwritten_keys = [\"k-1:A\", \"k-2:B\"]\n");
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(SettingsFile, keeps_what_people_wrote) {
  fs::create_directories(file().parent_path());
  write_file(file(), "# ours\nwritten_room = 3 # little\n\n# below\n", 0640);
  change({{"written_room", "20G"}, {"written_url", "u"}});
  EXPECT_EQ(text(), "# ours\nwritten_room = \"20G\" # little\nwritten_url = \"u\"\n\n# below\n");
  change({{"written_url", std::nullopt}, {"written_room", "3"}});
  EXPECT_EQ(text(), "# ours\nwritten_room = \"3\" # little\n\n# below\n");
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST_F(SettingsFile, is_reset_to_what_sets_nothing) {
  EXPECT_TRUE(reset_settings_file(file()).empty());
  EXPECT_FALSE(fs::exists(file()));
  fs::create_directories(file().parent_path());
  write_file(file(), "# ours\nwritten_room = 3\nunknown = 1 # there is no such setting\n\n# below\n");
  EXPECT_THAT(reset_settings_file(file()), testing::ElementsAre("unknown", "written_room"));
  EXPECT_EQ(text(), "# ours\n\n# below\n");
  write_file(file(), "written_room = \n");
  EXPECT_THROW(reset_settings_file(file()), Error);
  EXPECT_EQ(text(), "written_room = \n");
}

TEST_F(SettingsFile, stays_as_it_is_if_one_change_is_refused) {
  change({{"written_url", "u"}});
  EXPECT_THROW(change({{"written_url", "v"}, {"written_room", "much"}}), Error);
  EXPECT_THROW(change({{"written_url", "v"}, {"written_keys", std::nullopt}}), Error);
  EXPECT_EQ(text(), "written_url = \"u\"\n");
  try {
    change({{"writen_url", "v"}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.advice(), HasSubstr("Did you mean written_url?"));
  }
}

TEST_F(SettingsFile, takes_no_secret) {
  try {
    change({{"written_token", "s3cret"}});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
    EXPECT_THAT(error.advice(), HasSubstr("written_token_file"));
  }
  EXPECT_FALSE(fs::exists(file()));
}

TEST_F(SettingsFile, that_is_a_link_is_not_written_through) {
  fs::create_directories(file().parent_path());
  write_file(dir_.path() / "elsewhere", "");
  fs::create_symlink(dir_.path() / "elsewhere", file());
  EXPECT_THROW(change({{"written_url", "u"}}), Error);
  EXPECT_EQ(read_file(dir_.path() / "elsewhere"), "");
}

TEST_F(SettingsFile, loses_nothing_when_two_change_it_at_once) {
  std::vector<std::jthread> writers;
  for (const auto* key : {"written_url", "written_room"})
    writers.emplace_back([this, key] {
      for (int i = 0; i < 20; ++i) change({{key, std::to_string(i)}});
    });
  writers.clear();
  EXPECT_THAT(text(), HasSubstr("written_url = \"19\""));
  EXPECT_THAT(text(), HasSubstr("written_room = \"19\""));
}

}  // namespace
}  // namespace flox
