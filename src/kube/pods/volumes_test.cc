#include "kube/pods/volumes.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "kube/pods/keyed_volume.h"
#include "kube/pods/sub_path.h"

namespace flox::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

class KeyedVolumeTest : public testing::Test {
 protected:
  void write(const std::map<std::string, KeyedFile>& files) {
    write_keyed_volume(Directory(dir.path()), files, std::nullopt);
  }
  TempDir dir;
};

TEST_F(KeyedVolumeTest, shows_files_with_their_modes_through_one_link) {
  write({{"a", {"one", 0400}}, {"b/c", {"two", 0644}}, {"b/d", {"three", 0755}}});
  EXPECT_EQ(read_file(dir.path() / "a"), "one");
  EXPECT_EQ(read_file(dir.path() / "b/c"), "two");
  EXPECT_EQ(mode_of(dir.path() / "a"), 0400u);
  EXPECT_EQ(mode_of(dir.path() / "b/d"), 0755u);
  EXPECT_EQ(fs::read_symlink(dir.path() / "b"), "..data/b");
}

TEST_F(KeyedVolumeTest, replaces_everything_and_leaves_nothing_of_what_was) {
  write({{"a", {"one"}}, {"gone", {"x"}}, {"dir/x", {"x"}}});
  write({{"a", {"two"}}, {"new", {"y"}}});
  EXPECT_EQ(read_file(dir.path() / "a"), "two");
  const auto names = Directory(dir.path()).names();
  ASSERT_EQ(names.size(), 4u);
  EXPECT_FALSE(fs::exists(fs::symlink_status(dir.path() / "gone")));
  EXPECT_FALSE(fs::exists(fs::symlink_status(dir.path() / "dir")));
}

TEST_F(KeyedVolumeTest, writes_nothing_outside_of_itself) {
  TempDir outside;
  write({{"a", {"one"}}});
  for (const std::string& path : {std::string("../x"), std::string(".."), outside.path().string() + "/x",
                                  std::string("a/../../x"), std::string("")})
    EXPECT_THROW(write({{path, {"bad"}}}), Error) << path;
  EXPECT_EQ(read_file(dir.path() / "a"), "one") << "a failure leaves what was";
  EXPECT_EQ(Directory(dir.path()).names().size(), 3u);
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

TEST_F(KeyedVolumeTest, follows_no_link_that_was_put_into_it) {
  TempDir outside;
  fs::create_symlink(outside.path(), dir.path() / "b");
  fs::create_symlink(outside.path(), dir.path() / "..data");
  write({{"b/c", {"two"}}});
  EXPECT_EQ(read_file(dir.path() / "b/c"), "two");
  EXPECT_TRUE(fs::is_empty(outside.path()));
}

class SubPathTest : public testing::Test {
 protected:
  std::string error_of(const std::string& sub_path) {
    try {
      bind_sub_path({"uid1", "c", 0, (dir.path() / "volume").string(), sub_path}, state);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  void SetUp() override {
    fs::create_directories(dir.path() / "volume/inner");
    fs::create_directory(dir.path() / "outside");
  }
  TempDir dir;
  StateDir state{dir.path() / "state"};
};

TEST_F(SubPathTest, refuses_links_out_of_the_volume_at_every_level) {
  fs::create_symlink(dir.path() / "outside", dir.path() / "volume/absolute");
  fs::create_symlink("../outside", dir.path() / "volume/relative");
  fs::create_symlink("../../outside", dir.path() / "volume/inner/deeper");
  fs::create_symlink("relative", dir.path() / "volume/twice");
  fs::create_symlink("/proc/self/root", dir.path() / "volume/magic");
  for (const char* path : {"absolute", "relative", "absolute/new", "inner/deeper", "inner/deeper/new",
                           "twice", "twice/new", "magic", "magic/etc"})
    EXPECT_THAT(error_of(path), HasSubstr("leads out of the volume")) << path;
  EXPECT_TRUE(fs::is_empty(dir.path() / "outside"));
}

TEST_F(SubPathTest, refuses_what_is_no_path_inside) {
  for (const char* path : {"", "/etc", "..", "inner/../..", "../outside"})
    EXPECT_THAT(error_of(path), HasSubstr("is not a path inside the volume")) << path;
}

TEST_F(SubPathTest, makes_nothing_through_a_link_that_leads_nowhere) {
  fs::create_symlink("../outside/new", dir.path() / "volume/dangling");
  EXPECT_NE(error_of("dangling"), "no error");
  EXPECT_TRUE(fs::is_empty(dir.path() / "outside"));
}

TEST(StateDirTest, keeps_everyone_else_out) {
  TempDir dir;
  fs::create_directory(dir.path() / "state");
  fs::permissions(dir.path() / "state", fs::perms::all);
  const StateDir state(dir.path() / "state");
  for (const char* name : {".", "objects", "pods", "claims", "logs"})
    EXPECT_EQ(mode_of(dir.path() / "state" / name), 0700u) << name;
}

}  // namespace
}  // namespace flox::kube
