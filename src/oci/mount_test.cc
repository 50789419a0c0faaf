#include "oci/mount.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::oci {
namespace {

// Runs `body` in a mount namespace of its own; its result is that of the child process.
void in_mount_namespace(const std::function<void()>& body) {
  pid_t child = fork();
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", "", MS_PRIVATE | MS_REC, "") != 0) _exit(77);
    try {
      body();
    } catch (const std::exception& error) {
      fprintf(stderr, "%s\n", error.what());
      _exit(1);
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "needs root";
  EXPECT_EQ(status, 0);
}

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

}  // namespace
}  // namespace flox::oci
