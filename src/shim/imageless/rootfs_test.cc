// A container's root: where paths lead in it, what is filled in, and which places are the node's.
#include "shim/imageless/rootfs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "base/error.h"
#include "base/os/file.h"
#include "imageless/reserved_places.h"
#include "shim/imageless/in_root.h"

namespace flox::shim {
namespace {

using testing::HasSubstr;

class RootfsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    fs::create_directories(root_);
    fs::create_directories(tools_.host_directory / "bin");
    fs::create_directories(tools_.host_directory / "etc/ssl/certs");
    for (const char* name : {"bin/sh", "bin/env", "bin/flox", "etc/ssl/certs/ca-certificates.crt"})
      std::ofstream(tools_.host_directory / name) << name;
  }
  TempDir directory_;
  fs::path root_ = directory_.path() / "root";
  RuntimeTools tools_{"/nix/store/r-runtime", directory_.path() / "store/r-runtime"};
};

TEST_F(RootfsTest, AnEmptyRootGetsToolsUsersCertificatesAndTmp) {
  fill_rootfs(Rootfs(root_), tools_, {1000, 2000, {1000, 2000}});
  EXPECT_EQ(fs::read_symlink(root_ / "bin"), "/nix/store/r-runtime/bin");
  EXPECT_EQ(fs::read_symlink(root_ / "usr/bin"), "/nix/store/r-runtime/bin");
  EXPECT_THAT(read_file(root_ / "etc/passwd"), HasSubstr("flox:x:1000:2000:flox:/home/flox:/bin/sh\n"));
  EXPECT_THAT(read_file(root_ / "etc/group"), HasSubstr("flox:x:2000:\n"));
  EXPECT_EQ(fs::read_symlink(root_ / "etc/ssl/certs/ca-certificates.crt"),
            "/nix/store/r-runtime/etc/ssl/certs/ca-certificates.crt");
  struct stat info {};
  ASSERT_EQ(stat((root_ / "tmp").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 01777U);
  ASSERT_EQ(stat((root_ / "home/flox").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 1000U);
}

TEST_F(RootfsTest, InAUserNamespaceWhatIsMadeBelongsToItsUsers) {
  fill_rootfs(Rootfs(root_, {100000, 100000}), tools_, {1000, 2000, {101000, 102000}});
  struct stat info {};
  for (const char* path : {"bin", "usr", "etc", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "tmp"}) {
    ASSERT_EQ(lstat((root_ / path).c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_uid, 100000U) << path;
    EXPECT_EQ(info.st_gid, 100000U) << path;
  }
  ASSERT_EQ(stat((root_ / "home/flox").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 101000U);
  EXPECT_EQ(info.st_gid, 102000U);
  EXPECT_THAT(read_file(root_ / "etc/passwd"), HasSubstr("flox:x:1000:2000:"));
}

TEST_F(RootfsTest, WhatTheImageBringsIsLeftAlone) {
  fs::create_directories(root_ / "bin");
  fs::create_directories(root_ / "etc");
  std::ofstream(root_ / "bin/sh") << "own shell";
  std::ofstream(root_ / "etc/passwd") << "own users\n";
  fill_rootfs(Rootfs(root_), tools_, {1000, 1000, {1000, 1000}});
  fill_rootfs(Rootfs(root_), tools_, {1000, 1000, {1000, 1000}});  // and a second time changes nothing
  EXPECT_EQ(read_file(root_ / "bin/sh"), "own shell");
  EXPECT_EQ(fs::read_symlink(root_ / "bin/env"), "/nix/store/r-runtime/bin/env");
  EXPECT_EQ(read_file(root_ / "etc/passwd"), "own users\n");
  EXPECT_FALSE(fs::exists(root_ / "home/flox"));
}

TEST_F(RootfsTest, LinksOfTheImageLeadNowhereOutside) {
  fs::create_directories(directory_.path() / "outside");
  fs::create_symlink(directory_.path() / "outside", root_ / "etc");
  fs::create_symlink("../../../../../outside", root_ / "usr");
  // The links' targets do not exist inside the root: an error is right, writing outside would not be.
  EXPECT_THROW(fill_rootfs(Rootfs(root_), tools_, {}), Error);
  EXPECT_TRUE(fs::is_empty(directory_.path() / "outside"));

  fs::remove(root_ / "etc");
  fs::remove(root_ / "usr");
  fs::create_symlink("/usr/bin", root_ / "bin2");
  fs::create_directories(root_ / "usr/bin");
  Rootfs(root_).make_link("/bin2/tool", "/x");
  EXPECT_TRUE(fs::is_symlink(root_ / "usr/bin/tool"));
}

TEST_F(RootfsTest, APathIsResolvedAsAfterChroot) {
  fs::create_directories(root_ / "nix/store");
  fs::create_directory_symlink("nix", root_ / "data");
  fs::create_directory_symlink("../../../../data/store", root_ / "nix/up");
  fs::create_directory_symlink("loop", root_ / "loop");
  const Rootfs root(root_);
  EXPECT_EQ(root.resolve("/data/./store//"), "/nix/store");
  EXPECT_EQ(root.resolve("data/../../nix/up/x"), "/nix/store/x");
  EXPECT_EQ(root.resolve("/missing/../data/y"), "/nix/y");
  EXPECT_EQ(root.resolve("/.."), "/");
  EXPECT_THROW(root.resolve("/loop"), Error);
  EXPECT_THROW(root.resolve(std::string("/nix\0x", 6)), Error);
}

// What a kernel without openat2, or a filter in its place, leads to must not differ.
TEST_F(RootfsTest, TheWalkFindsWhatOpenat2Finds) {
  fs::create_directories(root_ / "a/b");
  fs::create_directories(directory_.path() / "outside");
  std::ofstream(root_ / "a/file") << "x";
  fs::create_symlink("/a", root_ / "absolute");
  fs::create_symlink("../../../../outside", root_ / "a/out");
  fs::create_symlink(directory_.path() / "outside", root_ / "away");
  fs::create_symlink("b/../file", root_ / "a/link");
  fs::create_symlink("../absolute/link", root_ / "a/b/far");
  fs::create_symlink("self", root_ / "self");
  ASSERT_EQ(mkfifo((root_ / "a/fifo").c_str(), 0600), 0);
  const Fd root = open_file(root_.string(), O_PATH | O_DIRECTORY);
  const std::vector<std::string> parts = {"a",    "b",    "..",  ".",    "file", "absolute", "out",
                                          "away", "link", "far", "self", "fifo", "no"};
  auto same = [&](const std::string& path, bool directory) {
    auto outcome = [](const Fd& fd) {
      struct stat info {};
      return !fd                           ? std::to_string(errno)
             : fstat(fd.get(), &info) == 0 ? fmt::format("inode {}", info.st_ino)
                                           : "?";
    };
    errno = 0;
    const std::string kernel = outcome(open_in_root(root.get(), path, directory));
    EXPECT_EQ(outcome(walk_in_root(root.get(), path, directory)), kernel) << path << " " << directory;
  };
  for (const std::string& one : parts)
    for (const std::string& two : parts)
      for (const std::string& three : parts)
        for (const std::string& path : {"/" + one + "/" + two + "/" + three, one + "//" + two + "/"})
          for (bool directory : {false, true}) same(path, directory);
}

TEST_F(RootfsTest, AHostileImageIsFilledOrRefusedAndNeverWaitedFor) {
  fs::create_directories(root_ / "etc");
  ASSERT_EQ(mkfifo((root_ / "etc/passwd").c_str(), 0600), 0);
  std::ofstream(root_ / "bin") << "a file";
  EXPECT_THROW(fill_rootfs(Rootfs(root_), tools_, {}), Error);
  fs::remove(root_ / "bin");
  fs::create_symlink(directory_.path(), root_ / "bin");
  fill_rootfs(Rootfs(root_), tools_, {});
  EXPECT_TRUE(fs::is_fifo(root_ / "etc/passwd"));
  EXPECT_FALSE(fs::exists(directory_.path() / "sh"));
}

TEST_F(RootfsTest, APlaceOfTheNodesIsRefusedInEverySpelling) {
  fs::create_directory_symlink("nix", root_ / "data");
  auto check = [&](const char* member, const char* path) {
    const std::string spec = fmt::format(fmt::runtime(member), path);
    const Rootfs root(root_);
    imageless::check_places(oci::RuntimeSpec::parse("{" + spec + "}"),
                            [&](const std::string& place) { return root.resolve(place); });
  };
  const char* const mount = R"("mounts":[{{"destination":"/proc"}},{{"destination":"{}"}}])";
  const char* const device = R"("linux":{{"devices":[{{"path":"{}"}}]}})";
  for (const char* path : {"/nix", "/nix/", "//nix", "/nix/.", "/nix/../nix", "/a/../nix", "/nix/.changes",
                           "/nix/store/x", "/./nix", "nix", "/run/./flox", "/run//flox/x", "/", "", "..",
                           "/data", "/data/x", "/data/../data/./store"}) {
    EXPECT_THROW(check(mount, path), Error) << path;
    EXPECT_THROW(check(device, path), Error) << path;
  }
  for (const char* path :
       {"/run", "/nixy", "/run/floxy", "/etc/hosts", "/dev/termination-log", "/srv/nix", "/run/secrets"})
    EXPECT_NO_THROW(check(mount, path)) << path;
}

TEST_F(RootfsTest, NoLinkOfAnImageLeadsAPlaceOfTheNodesIntoAVolume) {
  auto check = [&](const char* path) {
    const Rootfs root(root_);
    imageless::check_places(
        oci::RuntimeSpec::parse(fmt::format(R"({{"mounts":[{{"destination":"{}"}}]}})", path)),
        [&](const std::string& place) { return root.resolve(place); });
  };
  fs::create_directories(root_ / "run");
  fs::create_directory_symlink("/host/deep/flox", root_ / "run/flox");
  fs::create_directory_symlink("host", root_ / "other");
  for (const char* path : {"/host", "/host/deep", "/other", "/other/deep", "/host/../host/"})
    EXPECT_THROW(check(path), Error) << path;
  for (const char* path : {"/run", "/hosts", "/host/else"}) EXPECT_NO_THROW(check(path)) << path;
}

}  // namespace
}  // namespace flox::shim
