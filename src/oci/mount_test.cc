#include "oci/mount.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"
#include "oci/id_mapping.h"
#include "testing/mount_namespace.h"

namespace flox::oci {
namespace {

TEST(MountTest, MountsAnOverlayOfManyLayersAndUnmountsItWhole) {
  TempDir dir;
  in_mount_namespace([&] {
    // An overlay's upper directory cannot lie on an overlay itself.
    ASSERT_EQ(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, ""), 0);
    std::string lower;
    for (int i = 0; i < 60; ++i) {
      fs::path layer =
          dir.path() / "a-long-name-such-as-that-of-a-snapshotter-in-var-lib" / std::to_string(i) / "fs";
      fs::create_directories(layer);
      write_file(layer / ("file" + std::to_string(i)), "x");
      if (!lower.empty()) lower += ':';
      lower += layer.string();
    }
    ASSERT_GT(lower.size(), 4096U);
    for (const char* name : {"upper", "work", "root", "extra"}) fs::create_directories(dir.path() / name);
    fs::path root = dir.path() / "root";
    mount_all({{"overlay",
                "overlay",
                "",
                {"lowerdir=" + lower, "upperdir=" + (dir.path() / "upper").string(),
                 "workdir=" + (dir.path() / "work").string()}}},
              root);
    EXPECT_TRUE(fs::exists(root / "file0"));
    EXPECT_TRUE(fs::exists(root / "file59"));
    fs::create_directory(root / "sub");
    mount_all({{"bind", dir.path() / "extra", "/sub", {"rbind", "ro"}}}, root);
    EXPECT_THROW(write_file(root / "sub/x", "x"), Error);
    unmount_all(root);
    EXPECT_TRUE(fs::is_empty(root));
    unmount_all(root);
    unmount_all(dir.path() / "missing");
  });
}

TEST(MountTest, AFailedMountLeavesNothingBehind) {
  TempDir dir;
  in_mount_namespace([&] {
    fs::create_directories(dir.path() / "root");
    fs::create_directories(dir.path() / "layer");
    write_file(dir.path() / "layer/file", "x");
    EXPECT_THROW(mount_all({{"bind", dir.path() / "layer", "", {"rbind"}},
                            {"bind", dir.path() / "none", "", {"bind"}}},
                           dir.path() / "root"),
                 Error);
    EXPECT_TRUE(fs::is_empty(dir.path() / "root"));
  });
}

uid_t owner_of(const fs::path& file) {
  struct stat info {};
  return stat(file.c_str(), &info) == 0 ? info.st_uid : static_cast<uid_t>(-1);
}

// As containerd's snapshotter asks for a container with a user namespace.
TEST(MountTest, FilesOfLowerLayersBelongToTheUsersOfANamespace) {
  TempDir dir;
  in_mount_namespace([&] {
    ASSERT_EQ(mount("tmpfs", dir.path().c_str(), "tmpfs", 0, ""), 0);
    for (const char* name :
         {"snapshots/1/fs", "snapshots/2/fs", "snapshots/3/fs", "snapshots/3/work", "root"})
      fs::create_directories(dir.path() / name);
    write_file(dir.path() / "snapshots/1/fs/roots", "x");
    write_file(dir.path() / "snapshots/2/fs/users", "x");
    ASSERT_EQ(chown((dir.path() / "snapshots/2/fs/users").c_str(), 1000, 1000), 0);
    const std::string at = dir.path() / "snapshots";
    const fs::path root = dir.path() / "root";
    try {
      mount_all({{"overlay",
                  "overlay",
                  "",
                  {"index=off", "lowerdir=" + at + "/2/fs:" + at + "/1/fs", "upperdir=" + at + "/3/fs",
                   "workdir=" + at + "/3/work", "uidmap=0:100000:65536", "gidmap=0:100000:65536"}}},
                root);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable) return;  // a kernel before 6.3 cannot map tmpfs
      throw;
    }
    EXPECT_EQ(owner_of(root / "roots"), 100000u);
    EXPECT_EQ(owner_of(root / "users"), 101000u);
    EXPECT_EQ(owner_of(dir.path() / "snapshots/2/fs/users"), 1000u) << "the layer itself is as it was";
    unmount_all(root);
    EXPECT_TRUE(fs::is_empty(root));

    mount_all({{"bind", at + "/2/fs", "", {"rbind", "ro", "uidmap=0:100000:65536", "gidmap=0:100000:65536"}}},
              root);
    EXPECT_EQ(owner_of(root / "users"), 101000u);
    EXPECT_THROW(write_file(root / "new", "x"), Error);
    unmount_all(root);
    EXPECT_TRUE(fs::is_empty(root));
  });
}

TEST(MountTest, AMappingIsNumbersAndBothAreNeeded) {
  EXPECT_EQ(to_id_map("0:100000:65536"), "0 100000 65536\n");
  EXPECT_EQ(to_id_map("0:1:2,3:4:5"), "0 1 2\n3 4 5\n");
  for (const char* wrong :
       {"", "0", "0:1", "0:1:2:3", "0:1:x", "-1:0:1", "0:1:2,", "4294967296:0:1", "0:1:2 3", ":::"})
    EXPECT_THROW(to_id_map(wrong), Error) << wrong;
  TempDir dir;
  EXPECT_THROW(mount_all({{"bind", "/", "", {"rbind", "uidmap=0:1:1"}}}, dir.path()), Error);
}

}  // namespace
}  // namespace flox::oci
