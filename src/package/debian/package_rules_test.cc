#include "package/debian/package_rules.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::package {
namespace {

// Trees in which a package has placed links that lead out of them.
class RulesTest : public ::testing::Test {
 protected:
  RulesTest() {
    fs::create_directories(tree_);
    fs::create_directories(outside_ / "ssl/certs");
    write_file(outside_ / "ssl/certs/ca-certificates.crt", "of this machine\n");
    write_file(outside_ / "secret.crt", "secret\n");
    write_file(outside_ / "busybox", "#!/bin/sh\necho ls; touch \"$(dirname \"$0\")/ran\"\n", 0755);
  }
  void put(const std::string& place, const std::string& content, unsigned mode = 0644) {
    fs::create_directories((tree_ / place).parent_path());
    write_file(tree_ / place, content, mode);
  }
  void link_out(const std::string& place) {
    fs::create_directories((tree_ / place).parent_path());
    fs::create_directory_symlink(outside_, tree_ / place);
  }
  void expect_outside_unchanged() {
    EXPECT_EQ(read_file(outside_ / "ssl/certs/ca-certificates.crt"), "of this machine\n");
    EXPECT_EQ(std::distance(fs::recursive_directory_iterator(outside_), {}), 5);
  }

  TempDir work_;
  fs::path tree_ = work_.path() / "tree", outside_ = work_.path() / "outside";
};

TEST_F(RulesTest, CertificatesAreBundledInTheTreeWhateverItsLinksSay) {
  put("share/ca-certificates/mozilla/b.crt", "two");
  put("share/ca-certificates/mozilla/a.crt", "one\n");
  put("share/ca-certificates/mozilla/readme", "words");
  link_out("etc");
  apply_package_rules("ca-certificates", tree_);
  EXPECT_FALSE(fs::is_symlink(tree_ / "etc"));
  EXPECT_EQ(read_file(tree_ / "etc/ssl/certs/ca-certificates.crt"), "one\ntwo\n");
  EXPECT_FALSE(fs::exists(tree_ / "share"));
  expect_outside_unchanged();
}

TEST_F(RulesTest, CertificatesAreOfThePackageNotOfThisMachine) {
  for (const char* place : {"share/ca-certificates/mozilla", "share/ca-certificates", "share"}) {
    link_out(place);
    fs::create_directories(outside_ / "ca-certificates");  // so that each way leads to something
    EXPECT_THROW(apply_package_rules("ca-certificates", tree_), Error) << place;
    fs::remove_all(outside_ / "ca-certificates");
    fs::remove_all(tree_ / "share");
  }
  fs::create_directories(tree_ / "share/ca-certificates/mozilla");
  fs::create_symlink(outside_ / "secret.crt", tree_ / "share/ca-certificates/mozilla/a.crt");
  EXPECT_THROW(apply_package_rules("ca-certificates", tree_), Error);
  EXPECT_FALSE(fs::exists(tree_ / "etc"));
  expect_outside_unchanged();
}

TEST_F(RulesTest, AppletsAreLinkedInTheTreeOrNotAtAll) {
  link_out("bin");
  EXPECT_THROW(apply_package_rules("busybox", tree_), Error);
  expect_outside_unchanged();
  fs::remove(tree_ / "bin");
  fs::create_directories(tree_ / "bin");
  fs::create_symlink(outside_ / "busybox", tree_ / "bin/busybox");
  EXPECT_THROW(apply_package_rules("busybox", tree_), Error);
  expect_outside_unchanged();
  fs::remove(tree_ / "bin/busybox");
  put("bin/busybox", "#!/bin/sh\nprintf 'ls\\n../up\\nbusybox\\n[\\n'\n", 0755);
  apply_package_rules("busybox", tree_);
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/ls"), "busybox");
  EXPECT_EQ(fs::read_symlink(tree_ / "bin/["), "busybox");
  EXPECT_EQ(std::distance(fs::directory_iterator(tree_ / "bin"), {}), 3);
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_ / "up")));
}

// Nothing of this machine but what everybody may read, nothing to write to, and no end without it.
TEST_F(RulesTest, AppletsAreListedApart) {
  const std::string mark = (outside_ / "ran").string();
  put("bin/busybox",
      "#!/bin/sh\nexec 2>/dev/null\ntouch " + mark + " \"${0%/*}/ran\"\n[ -e " + mark + " ] || [ -e " +
          outside_.string() +
          " ] || [ -e /etc/hostname ] || [ -w /proc/sys/kernel/core_pattern ] || echo apart\n",
      0755);
  apply_package_rules("busybox", tree_);
  EXPECT_TRUE(fs::is_symlink(tree_ / "bin/apart"));
  EXPECT_FALSE(fs::exists(tree_ / "bin/ran"));
  expect_outside_unchanged();
  put("bin/busybox", "#!/bin/sh\nwhile :; do echo ls; done\n", 0755);
  EXPECT_THROW(apply_package_rules("busybox", tree_), Error);
}

}  // namespace
}  // namespace flox::package
