#include "trust/own_files.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/os/file.h"
#include "testing/error_of.h"

namespace flox::trust {
namespace {

TEST(OwnFiles, AreReadIfNobodyElseCouldHaveWrittenThem) {
  const TempDir dir;
  EXPECT_FALSE(own_directory(dir.path() / "none"));
  const Directory made = make_own_directory(dir.path() / "a/b/c");
  EXPECT_EQ(made.name(), (dir.path() / "a/b/c").string());
  EXPECT_FALSE(read_own_file(made, "file", 100));
  made.write_file("file", "text");
  EXPECT_EQ(read_own_file(made, "file", 100), "text");
  EXPECT_TRUE(own_subdirectory(*own_directory(dir.path() / "a"), "b"));
}

TEST(OwnFiles, ThatOthersMayWriteAreRefusedWithTheCommandThatCorrectsIt) {
  const TempDir dir;
  const Directory made = make_own_directory(dir.path() / "a");
  made.write_file("file", "text", 0644);
  fs::permissions(dir.path() / "a/file", fs::perms(0664));
  EXPECT_EQ(error_of([&] { read_own_file(made, "file", 100); }, ErrorKind::untrusted),
            fmt::format("others than its owner may write to {}/a/file (mode 0664)", dir.path().string()));
  try {
    read_own_file(made, "file", 100);
  } catch (const Error& error) {
    EXPECT_NE(error.advice().find("chmod go-w"), std::string::npos);
  }
  fs::permissions(dir.path() / "a", fs::perms(0777));
  EXPECT_NE(error_of([&] { own_directory(dir.path() / "a"); }, ErrorKind::untrusted), "no error");
}

TEST(OwnFiles, KeepNotesInLinks) {
  const TempDir dir;
  const Directory made = make_own_directory(dir.path() / "a");
  made.make_directory("sub");
  EXPECT_EQ(read_note(made, "sub/note"), std::nullopt);
  write_note(made, "sub/note", "7 2");
  fs::create_symlink("left behind", dir.path() / "a/sub/~new");
  write_note(made, "sub/note", "8 2");
  EXPECT_EQ(read_note(made, "sub/note"), "8 2");
  EXPECT_FALSE(made.exists("sub/~new"));
  made.write_file("file", "8 2");
  EXPECT_NE(error_of([&] { read_note(made, "file"); }, ErrorKind::untrusted), "no error");
}

TEST(OwnFiles, AreNoLinks) {
  const TempDir dir;
  const Directory made = make_own_directory(dir.path() / "a");
  write_file(dir.path() / "elsewhere", "text");
  fs::create_symlink(dir.path() / "elsewhere", dir.path() / "a/file");
  fs::create_directory_symlink(dir.path() / "a", dir.path() / "link");
  EXPECT_NE(error_of([&] { read_own_file(made, "file", 100); }, ErrorKind::untrusted), "no error");
  EXPECT_NE(error_of([&] { own_directory(dir.path() / "link"); }, ErrorKind::untrusted), "no error");
}

}  // namespace
}  // namespace flox::trust
