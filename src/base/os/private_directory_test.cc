#include "base/os/private_directory.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/os/file.h"

namespace flox {
namespace {

class PrivateDirectory : public testing::Test {
 protected:
  TempDir temp_;
  fs::path at(const char* name) const { return temp_.path() / name; }
  static unsigned mode_of(const fs::path& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
  }
};

TEST_F(PrivateDirectory, is_made_for_its_owner_only) {
  EXPECT_EQ(private_directory(at("a/b")), at("a/b"));
  EXPECT_EQ(mode_of(at("a/b")), 0700U);
  EXPECT_EQ(private_directory(at("a/b")), at("a/b"));
}

TEST_F(PrivateDirectory, a_link_a_file_and_one_that_others_write_are_none) {
  fs::create_directory(at("real"));
  fs::create_directory_symlink(at("real"), at("link"));
  EXPECT_FALSE(private_directory(at("link")));
  write_file(at("file"), "");
  EXPECT_FALSE(private_directory(at("file")));
  fs::permissions(at("real"), fs::perms::all);
  EXPECT_FALSE(private_directory(at("real")));
}

TEST_F(PrivateDirectory, somebody_else_s_is_none) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to own a file as another user";
  fs::create_directory(at("theirs"));
  ASSERT_EQ(::chown(at("theirs").c_str(), 12345, 12345), 0);
  EXPECT_FALSE(private_directory(at("theirs")));
}

TEST_F(PrivateDirectory, a_cache_never_goes_where_somebody_else_waits_for_it) {
  for (const char* name : {"XDG_CACHE_HOME", "HOME"}) ::unsetenv(name);
  ::setenv("TMPDIR", temp_.path().c_str(), 1);
  const fs::path expected = at(("flox-" + std::to_string(::geteuid())).c_str());
  EXPECT_EQ(user_cache_directory("x"), expected / "x");
  fs::remove_all(expected);
  fs::create_directory(at("trap"));
  fs::create_directory_symlink(at("trap"), expected);
  const fs::path found = user_cache_directory("x");
  EXPECT_TRUE(found.filename().string().starts_with("flox-x-")) << found;
  EXPECT_EQ(mode_of(found), 0700U);
  EXPECT_TRUE(fs::is_empty(at("trap")));
  ::setenv("HOME", temp_.path().c_str(), 1);
  EXPECT_EQ(user_cache_directory("x"), at(".cache/flox/x"));
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(user_cache_directory("x"), at(".cache/flox/x"));
  ::unsetenv("TMPDIR");
}

}  // namespace
}  // namespace flox
