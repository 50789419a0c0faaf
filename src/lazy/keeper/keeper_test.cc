#include "lazy/keeper/keeper.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/os/file.h"
#include "lazy/testing/with_fuse.h"

namespace flox::lazy {
namespace {

// A directory to mount at, files, and a server that is a shell's script. What each server writes into "log"
// is a line.
struct Scene {
  TempDir dir;
  Kept kept;
  pid_t keeper = 0;

  explicit Scene(const std::string& script)
      : kept{dir.path() / "mnt",
             dir.path() / "files",
             {"/bin/sh", "-c", script, "server", dir.path() / "log"}} {
    fs::create_directory(kept.directory);
    fs::create_directory(kept.files);
    write_file(fs::path(kept.files) / "file", "x");
  }
  void start() {
    keeper = fork();
    if (keeper == 0) _exit(keep_mount(kept));
  }
  std::vector<std::string> lines() const {
    std::vector<std::string> result;
    if (!fs::exists(dir.path() / "log")) return result;
    std::istringstream text(read_file(dir.path() / "log"));
    for (std::string line; std::getline(text, line);) result.push_back(line);
    return result;
  }
  std::string await_line(size_t number) const {
    for (int i = 0; i < 6000 && lines().size() < number; ++i) usleep(10'000);
    if (lines().size() < number) {
      ADD_FAILURE() << "no line " << number;
      return {};
    }
    return lines()[number - 1];
  }
  int exit_code() const {
    int status = 0;
    waitpid(keeper, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  // Looks at no file of it: nobody would answer.
  bool is_mounted() const {
    return read_file("/proc/self/mountinfo").find(" " + kept.directory + " ") != std::string::npos;
  }
};

constexpr const char* waits = "echo \"$$ $*\" >> \"$1\"; exec sleep 1000";

TEST(KeeperTest, AServerThatDiedHasASuccessorAndTheMountStays) {
  with_fuse([] {
    Scene scene(waits);
    scene.start();
    std::string line = scene.await_line(1);
    EXPECT_NE(line.find("--device"), std::string::npos);
    EXPECT_EQ(line.find("--take-over"), std::string::npos);
    for (size_t i = 2; i < 5; ++i) {
      EXPECT_EQ(kill(std::stoi(line), SIGKILL), 0);
      line = scene.await_line(i);
      EXPECT_NE(line.find("--take-over"), std::string::npos);
      EXPECT_TRUE(scene.is_mounted());
    }
    EXPECT_EQ(kill(scene.keeper, SIGTERM), 0);
    EXPECT_EQ(scene.exit_code(), 0);
    EXPECT_FALSE(scene.is_mounted());
    EXPECT_FALSE(fs::exists(scene.kept.files));
    EXPECT_EQ(kill(std::stoi(line), 0), -1);
    EXPECT_EQ(scene.lines().size(), 4u);
  });
}

TEST(KeeperTest, AServerThatEndsByItselfEndsTheMount) {
  with_fuse([] {
    Scene scene("exit 3");
    scene.start();
    EXPECT_EQ(scene.exit_code(), 3);
    EXPECT_FALSE(scene.is_mounted());
    EXPECT_FALSE(fs::exists(scene.kept.files));
  });
}

TEST(KeeperTest, AServerThatAsksForItIsStartedAgain) {
  with_fuse([] {
    Scene scene("echo \"$*\" >> \"$1\"; case $* in *--take-over) exit 0 ;; esac; exit 75");
    scene.start();
    EXPECT_EQ(scene.exit_code(), 0);
    EXPECT_EQ(scene.lines().size(), 2u);
  });
}

TEST(KeeperTest, ServersThatDieAtOnceAreStartedLessOftenAndInTheEndNotAtAll) {
  with_fuse([] {
    Scene scene("date +%s%N >> \"$1\"; exit 75");
    scene.kept.longest_pause = std::chrono::milliseconds(80);
    scene.start();
    EXPECT_EQ(scene.exit_code(), 1);
    EXPECT_FALSE(scene.is_mounted());
    std::vector<int64_t> times;
    for (const std::string& line : scene.lines()) times.push_back(std::stoll(line));
    ASSERT_EQ(times.size(), 14u);
    EXPECT_GE(times[13] - times[12], 80'000'000);
  });
}

TEST(KeeperTest, UnmountsItsOwnMountAndNoneThatStandsAtItsPlaceByThen) {
  with_fuse([] {
    Scene scene(waits);
    scene.start();
    scene.await_line(1);
    ASSERT_EQ(mount("tmpfs", scene.kept.directory.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_EQ(kill(scene.keeper, SIGTERM), 0);
    EXPECT_EQ(scene.exit_code(), 0);
    EXPECT_TRUE(scene.is_mounted());
    EXPECT_EQ(umount(scene.kept.directory.c_str()), 0);
  });
}

TEST(KeeperTest, ItsServerDiesWithIt) {
  with_fuse([] {
    Scene scene(waits);
    scene.start();
    const pid_t server = std::stoi(scene.await_line(1));
    EXPECT_EQ(kill(scene.keeper, SIGKILL), 0);
    EXPECT_EQ(scene.exit_code(), 128 + SIGKILL);
    // Nobody of ours reaps it, maybe nobody at all: its descriptors are closed when it is a zombie.
    const auto is_dead = [status = "/proc/" + std::to_string(server) + "/stat"] {
      std::string line;
      std::getline(std::ifstream(status), line);
      const size_t name_end = line.rfind(')');
      return name_end == std::string::npos || line.substr(name_end, 3) == ") Z";
    };
    int tries = 6000;
    while (tries-- > 0 && !is_dead()) usleep(10'000);
    EXPECT_GT(tries, 0);
    // The mount has ended: who looks at it gets an error and does not wait.
    EXPECT_EQ(access((scene.kept.directory + "/x").c_str(), F_OK), -1);
    EXPECT_EQ(errno, ENOTCONN);
  });
}

}  // namespace
}  // namespace flox::lazy
