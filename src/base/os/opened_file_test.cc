#include "base/os/opened_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/os/file.h"

namespace flox {
namespace {

TEST(OpenedFile, has_its_name_until_another_file_does) {
  const TempDir directory;
  const auto file = directory.path() / "file", other = directory.path() / "other";
  write_file(file, "one");
  const Fd fd = open_file(file, O_RDONLY);
  const Fd below = open_file(directory.path(), O_RDONLY | O_DIRECTORY);
  EXPECT_TRUE(is_own(fd));
  EXPECT_TRUE(has_name(fd, AT_FDCWD, file.c_str()));
  EXPECT_TRUE(has_name(fd, below.get(), "file"));
  std::filesystem::rename(file, other);
  EXPECT_FALSE(has_name(fd, below.get(), "file"));
  std::filesystem::create_symlink("other", file);
  EXPECT_FALSE(has_name(fd, below.get(), "file")) << "a link to it is another file";
  EXPECT_TRUE(has_name(fd, below.get(), "other"));
}

TEST(OpenedFile, another_users_is_not_own) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file to another user";
  const TempDir directory;
  write_file(directory.path() / "file", "one");
  const Fd fd = open_file(directory.path() / "file", O_RDONLY);
  ASSERT_EQ(::fchown(fd.get(), 65534, 65534), 0);
  EXPECT_FALSE(is_own(fd));
}

}  // namespace
}  // namespace flox
