#include "package/build/access_watch.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/os/file.h"
#include "package/build/build_command.h"

namespace flox::package {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;

namespace fs = std::filesystem;

// A directory of the machine, outside of /tmp, which every build may use.
class AccessWatchTest : public ::testing::Test {
 protected:
  AccessWatchTest() { write_file(outside_ / "file", "text"); }

  // What a process of its own is seen to use.
  const std::map<std::string, Access>& seen(const std::function<void()>& body) {
    AccessWatch watch(rules_, accesses_);
    try {
      run_apart(
          [&] {
            watch.begin();
            body();
            return 0;
          },
          [&](pid_t process) { watch.attend(process); });
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable) throw;
      why_not_ = error.what();
    }
    return accesses_.by_path();
  }

  TempDir work_{"flox-watch-", fs::path("/var/tmp")};
  const fs::path outside_ = fs::canonical(work_.path());
  AccessRules rules_{
      .own_root = false, .store = {}, .store_paths = {}, .directories = {"/tmp"}, .allowed = {}};
  Accesses accesses_;
  std::string why_not_;
};

#define NEEDS_SECCOMP() \
  if (!why_not_.empty()) GTEST_SKIP() << why_not_

TEST_F(AccessWatchTest, sees_what_is_opened_listed_and_asked_about) {
  const std::string file = outside_ / "file";
  fs::create_directory(outside_ / "list");
  write_file(outside_ / "asked", "");
  seen([&] {
    ::open(file.c_str(), O_RDONLY);
    ::open((outside_ / "list").c_str(), O_RDONLY | O_DIRECTORY);
    ::access((outside_ / "asked").c_str(), R_OK);
    ::open((outside_ / "none").c_str(), O_RDONLY);
    ::open((outside_ / "made").c_str(), O_WRONLY | O_CREAT, 0600);
  });
  NEEDS_SECCOMP();
  const auto& by_path = accesses_.by_path();
  ASSERT_THAT(by_path, Contains(Key(file)));
  EXPECT_EQ(by_path.at(file).kind, AccessKind::read);
  ASSERT_THAT(by_path, Contains(Key((outside_ / "list").string())));
  EXPECT_EQ(by_path.at(outside_ / "list").kind, AccessKind::listed);
  ASSERT_THAT(by_path, Contains(Key((outside_ / "asked").string())));
  EXPECT_EQ(by_path.at(outside_ / "asked").kind, AccessKind::examined);
  EXPECT_THAT(by_path, Not(Contains(Key((outside_ / "none").string()))));  // no machine has it
}

TEST_F(AccessWatchTest, names_files_without_links_and_by_where_they_are) {
  const TempDir inside{"flox-", "/tmp"};
  fs::create_symlink(outside_ / "file", inside.path() / "link");
  seen([&] {
    ::open((inside.path() / "link").c_str(), O_RDONLY);
    if (::chdir(inside.path().c_str()) != 0) ::_exit(1);
    ::open("link", O_RDONLY);
    const int directory = ::open(outside_.c_str(), O_PATH | O_DIRECTORY);
    ::openat(directory, "../../lib", O_RDONLY);
    ::openat(directory, "file", O_RDONLY);
  });
  NEEDS_SECCOMP();
  ASSERT_THAT(accesses_.by_path(), Contains(Key((outside_ / "file").string())));
  EXPECT_EQ(accesses_.by_path().at(outside_ / "file").times, 3u);
  EXPECT_THAT(accesses_.by_path(), Not(Contains(Key((inside.path() / "link").string()))));
}

TEST_F(AccessWatchTest, says_nothing_of_what_may_be_used) {
  rules_.directories.push_back(outside_.string());
  seen([&] {
    ::open((outside_ / "file").c_str(), O_RDONLY);
    ::open("/proc/self/status", O_RDONLY);
    ::open("/dev/null", O_RDONLY);
    ::open("/etc/passwd", O_RDONLY);
    struct stat status {};
    ::stat("/usr", &status);
  });
  NEEDS_SECCOMP();
  EXPECT_THAT(accesses_.by_path(), IsEmpty());
}

TEST_F(AccessWatchTest, a_script_is_run_by_its_interpreter_and_circles_end) {
  rules_.directories.push_back(outside_.string());
  const auto script = [&](const char* name, const std::string& text) {
    write_file(outside_ / name, text, 0755);
    return outside_ / name;
  };
  const fs::path circle = script("circle", "#!" + (outside_ / "circle").string() + "\n");
  const fs::path odd = script("odd", "#!   \n"), plain = script("plain", "#! /bin/cat -\n");
  seen([&] {
    char* const none[] = {nullptr};
    for (const fs::path& file : {circle, odd}) ::execve(file.c_str(), none, none);
    ::execve(plain.c_str(), none, none);
  });
  NEEDS_SECCOMP();
  const std::string cat = fs::canonical("/bin/cat");
  ASSERT_THAT(accesses_.by_path(), Contains(Key(cat)));
  EXPECT_EQ(accesses_.by_path().at(cat).kind, AccessKind::executed);
  EXPECT_EQ(accesses_.by_path().at(cat).program, plain.string());
}

TEST_F(AccessWatchTest, wrong_addresses_and_processes_that_die_do_no_harm) {
  seen([&] {
    ::open(reinterpret_cast<const char*>(8), O_RDONLY);
    for (int i = 0; i < 50; ++i)
      if (const pid_t child = ::fork(); child == 0) {
        for (;;) ::open((outside_ / "file").c_str(), O_RDONLY | O_CLOEXEC);
      } else {
        ::usleep(200);
        ::kill(child, SIGKILL);
        ::waitpid(child, nullptr, 0);
      }
  });
  NEEDS_SECCOMP();
  EXPECT_THAT(accesses_.by_path(), Contains(Key((outside_ / "file").string())));
}

}  // namespace
}  // namespace flox::package
