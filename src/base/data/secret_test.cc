#include "base/data/secret.h"

#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

std::string error_at(const fs::path& path) {
  try {
    read_secret_file(path);
  } catch (const Error& error) {
    return std::string(error.what()) + " | " + error.advice();
  }
  return "accepted";
}

TEST(Secret, IsReadWithoutItsLineBreak) {
  const TempDir dir;
  write_file(dir.path() / "token", "abc\n", 0600);
  EXPECT_EQ(read_secret_file(dir.path() / "token").reveal(), "abc");
}

TEST(Secret, AFileThatOthersMayReadIsRefusedWithTheMend) {
  const TempDir dir;
  const fs::path file = dir.path() / "token";
  for (const unsigned mode : {0640U, 0604U, 0620U, 0601U}) {
    write_file(file, "abc\n", mode);
    EXPECT_THAT(error_at(file), testing::HasSubstr("Run 'chmod 600 " + file.string() + "'.")) << mode;
  }
}

// As Kubernetes mounts a Secret for a pod that runs as a user of its own.
TEST(Secret, OfRootsMayBeReadByTheGroupThatRootChoseAndByNobodyElse) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to make a file of root's";
  constexpr uid_t user = 65534;
  const TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0711), 0);
  const auto read_by_user = [&](unsigned mode, uid_t owner) {
    const fs::path file = dir.path() / "token";
    fs::remove(file);
    write_file(file, "abc\n", mode);
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    EXPECT_EQ(::chown(file.c_str(), owner, user), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0) ::_exit(9);
      const std::string result = error_at(file);
      ::_exit(result == "accepted" ? 0 : result.find("Run 'chmod") != std::string::npos ? 1 : 2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(read_by_user(0440, 0), 0);
  EXPECT_EQ(read_by_user(0640, 0), 0);
  for (const unsigned mode : {0444U, 0660U, 0641U}) EXPECT_EQ(read_by_user(mode, 0), 1) << mode;
  EXPECT_EQ(read_by_user(0440, user),
            1);  // its owner chose the group, who need not be anybody's administrator
}

TEST(Secret, WhatIsNoFileOrEmptyOrHugeIsRefused) {
  const TempDir dir;
  EXPECT_THAT(error_at(dir.path()), testing::HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((dir.path() / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(error_at(dir.path() / "fifo"), testing::HasSubstr("not a regular file"));
  write_file(dir.path() / "empty", "\n", 0600);
  EXPECT_THAT(error_at(dir.path() / "empty"), testing::HasSubstr("it is empty"));
  write_file(dir.path() / "huge", std::string(70'000, 'x'), 0600);
  EXPECT_THAT(error_at(dir.path() / "huge"), testing::HasSubstr("more than 65536 bytes"));
}

TEST(Secret, ComparesWhole) {
  EXPECT_TRUE(Secret("abc").equals("abc"));
  EXPECT_FALSE(Secret("abc").equals("abd"));
  EXPECT_FALSE(Secret("abc").equals("ab"));
  EXPECT_FALSE(Secret("").equals("a"));
}

TEST(PrintableUrl, HasNoCredentialsQueryOrFragment) {
  EXPECT_EQ(printable_url("https://user:pass@host:1/a?token=x#y"), "https://host:1/a");
  EXPECT_EQ(printable_url("https://a@b@host/p"), "https://host/p");
  EXPECT_EQ(printable_url("https://user:p/w@host"), "(not a URL)");
  EXPECT_EQ(printable_url("https://[::1]:80/@scope/a"), "https://[::1]:80/@scope/a");
  EXPECT_EQ(printable_url("s3://bucket?secret=1"), "s3://bucket");
  EXPECT_EQ(printable_url("http://host/\x1b[31m\r\nx"), "http://host/?[31m??x");
  EXPECT_EQ(printable_url("no url"), "(not a URL)");
  EXPECT_EQ(printable_url(""), "(not a URL)");
}

}  // namespace
}  // namespace flox
