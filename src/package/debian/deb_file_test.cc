#include "package/debian/deb_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"

namespace flox::package {
namespace {

using ::testing::ElementsAre;

TEST(Layout, MergesSlashAndUsr) {
  EXPECT_EQ(layout_path("./usr/bin/x"), "bin/x");
  EXPECT_EQ(layout_path("/lib/x86_64-linux-gnu/libz.so.1"), "lib/x86_64-linux-gnu/libz.so.1");
  EXPECT_EQ(layout_path("./usr/lib/../share/x"), "share/x");
  EXPECT_EQ(layout_path("./"), std::nullopt);
  EXPECT_EQ(layout_path("./usr/"), std::nullopt);
  EXPECT_EQ(layout_path("../../etc/passwd"), "etc/passwd");  // nothing is above the root
}

// A .deb made by dpkg-deb from files that `fill` puts below a directory.
class DebTest : public ::testing::Test {
 protected:
  fs::path make_deb(const std::string& compression = "xz") {
    fs::create_directories(root_ / "DEBIAN");
    write_file(root_ / "DEBIAN/control",
               "Package: t\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n");
    run_checked({.argv = {"dpkg-deb", "--root-owner-group", "-Z" + compression, "--build", root_.string(),
                          (work_.path() / "t.deb").string()}});
    return work_.path() / "t.deb";
  }
  void put(const std::string& place, const std::string& content, unsigned mode = 0644) {
    fs::create_directories((root_ / place).parent_path());
    write_file(root_ / place, content, mode);
  }
  void link(const std::string& place, const std::string& target) {
    fs::create_directories((root_ / place).parent_path());
    fs::create_symlink(target, root_ / place);
  }

  TempDir work_;
  fs::path root_ = work_.path() / "root";
  fs::path tree_ = work_.path() / "tree";
};

TEST_F(DebTest, IsRefusedIfItHoldsAPipeADeviceOrASocket) {
  put("usr/bin/x", "program");
  ASSERT_EQ(::mkfifo((root_ / "usr/pipe").c_str(), 0644), 0);
  const auto deb = make_deb();
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
}

TEST_F(DebTest, IsRefusedIfItUnpacksToFarMoreThanItsSize) {
  put("usr/bomb", "");
  ASSERT_EQ(::truncate((root_ / "usr/bomb").c_str(), off_t{300} << 20), 0);
  const auto deb = make_deb("zstd");
  ASSERT_LT(fs::file_size(deb), size_t{1} << 20);
  try {
    unpack_deb(deb, tree_);
    ADD_FAILURE() << "it was unpacked";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
  }
}

TEST_F(DebTest, IsRefusedIfANameIsTooDeep) {
  std::string deep = "usr";
  for (int i = 0; i < 140; ++i) deep += "/d";
  put(deep + "/f", "x");
  const auto deb = make_deb();
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
  EXPECT_THROW(list_deb(deb), Error);
}

TEST_F(DebTest, IsUnpackedWithoutUsrAndWithoutWhatNobodyNeeds) {
  put("usr/bin/x", "program", 04755);
  put("lib/y.conf", "data");
  put("usr/share/doc/t/copyright", "words");
  auto deb = make_deb();
  EXPECT_THAT(list_deb(deb), ElementsAre("bin/x", "lib/y.conf"));
  unpack_deb(deb, tree_);
  EXPECT_EQ(read_file(tree_ / "bin/x"), "program");
  struct stat status {};
  ASSERT_EQ(::stat((tree_ / "bin/x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u) << "set-user-id must be dropped";
  EXPECT_FALSE(fs::exists(tree_ / "share"));
}

TEST_F(DebTest, IsUnpackedWhateverItsCompression) {
  put("usr/bin/x", "program", 0755);
  for (const char* compression : {"zstd", "gzip", "none"}) {
    if (std::string(compression) == "zstd" &&
        run({.argv = {"sh", "-c", "dpkg-deb --help | grep -q zstd"}}).exit_code != 0)
      continue;
    EXPECT_THAT(list_deb(make_deb(compression)), ElementsAre("bin/x")) << compression;
  }
}

TEST_F(DebTest, KeepsRelativeLinksRightWhereTheDirectoriesMove) {
  put("lib/x86_64-linux-gnu/libx.so.1", "library");
  link("usr/lib/x86_64-linux-gnu/libx.so", "../../../lib/x86_64-linux-gnu/libx.so.1");
  link("usr/bin/here", "./there");
  link("etc/x", "/usr/share/x");
  unpack_deb(make_deb(), tree_);
  EXPECT_EQ(fs::read_symlink(tree_ / "lib/x86_64-linux-gnu/libx.so"), "libx.so.1");
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/here"), "there");
  EXPECT_EQ(fs::read_symlink(tree_ / "etc/x"), "/usr/share/x");
}

TEST_F(DebTest, TurnsHardLinksIntoFiles) {
  put("usr/bin/a", "same", 0755);
  fs::create_hard_link(root_ / "usr/bin/a", root_ / "usr/bin/b");
  unpack_deb(make_deb(), tree_);
  EXPECT_EQ(read_file(tree_ / "bin/b"), "same");
  EXPECT_EQ(fs::hard_link_count(tree_ / "bin/a"), 1u);
}

TEST_F(DebTest, IsRefusedIfAHardLinkWouldCopyAFileOfThisMachine) {
  write_file(work_.path() / "secret", "of this machine");
  link("a", work_.path() / "secret");
  fs::create_hard_link(root_ / "a", root_ / "b");  // of the symbolic link itself
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_ / "b")));
}

TEST_F(DebTest, IsRefusedIfItsHardLinksUnpackToFarMoreThanItsSize) {
  put("usr/bomb/0", "");
  ASSERT_EQ(::truncate((root_ / "usr/bomb/0").c_str(), off_t{100} << 20), 0);
  for (const char* name : {"1", "2"}) fs::create_hard_link(root_ / "usr/bomb/0", root_ / "usr/bomb" / name);
  EXPECT_THROW(unpack_deb(make_deb("zstd"), tree_), Error);
  EXPECT_FALSE(fs::exists(tree_ / "bomb/2"));
}

TEST_F(DebTest, IsRefusedIfItsFilesCollideWithAnother) {
  put("usr/bin/a", "one");
  unpack_deb(make_deb(), tree_);
  unpack_deb(make_deb(), tree_);  // the same file again is no collision
  put("usr/bin/a", "two");
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
}

TEST_F(DebTest, IsRefusedIfDamaged) {
  put("usr/bin/a", std::string(100000, 'a'));
  auto deb = make_deb();
  std::string bytes = read_file(deb);
  write_file(deb, bytes.substr(0, bytes.size() - 60));
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
  write_file(deb, "not a package");
  EXPECT_THROW(unpack_deb(deb, tree_), Error);
}

TEST_F(DebTest, CannotWriteThroughALinkItMade) {
  link("usr/x", work_.path().string());
  auto first = make_deb();
  unpack_deb(first, tree_);
  fs::remove(root_ / "usr/x");
  put("usr/x/file", "escaped");
  EXPECT_THROW(unpack_deb(make_deb(), tree_), Error);
  EXPECT_FALSE(fs::exists(work_.path() / "file"));
}

}  // namespace
}  // namespace flox::package
