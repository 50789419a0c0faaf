// Changes of environments beside each other, and changes that are stopped.
#include "env/environment_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/os/file.h"
#include "base/os/process.h"
#include "env/environment.h"
#include "env/manifest_edit.h"
#include "env/testing/any_resolver.h"

namespace flox::env {
namespace {

using testing::HasSubstr;

class EnvironmentChange : public testing::Test {
 protected:
  fs::path file(const char* name) const { return dir_.path() / ".flox" / name; }
  EnvironmentFiles files() const { return read_environment_files(dir_.path()); }
  void install(const std::string& id) {
    environment_.edit([&](const std::string& text) { return with_install(text, id, {.pkg_path = id}); },
                      resolver_);
  }
  void uninstall(const std::string& id) {
    environment_.edit([&](const std::string& text) { return without_install(text, id); }, resolver_);
  }

  TempDir dir_;
  Environment environment_ = Environment::init(dir_.path(), "web");
  AnyResolver resolver_;
};

TEST_F(EnvironmentChange, is_undone_byte_by_byte) {
  install("a");
  const EnvironmentFiles before = files();
  install("b");
  EXPECT_NE(files(), before);
  uninstall("b");
  EXPECT_EQ(files(), before);
}

TEST_F(EnvironmentChange, that_cannot_be_prepared_is_not_written) {
  install("a");
  const EnvironmentFiles before = files();
  ChangeContext context{.prepare = [](const Lockfile&) { fail(ErrorKind::conflict, "no"); }};
  EXPECT_THROW(environment_.edit(with_install(before.manifest, "b", {.pkg_path = "b"}), resolver_, context),
               Error);
  EXPECT_EQ(files(), before);
  EXPECT_FALSE(fs::exists(file("env.new")));
}

TEST_F(EnvironmentChange, is_refused_if_an_editor_wrote_meanwhile) {
  ChangeContext context{
      .prepare = [&](const Lockfile&) { write_file(file("env/manifest.toml"), "version = 1\n"); }};
  EXPECT_THROW(environment_.edit(with_install(files().manifest, "b", {.pkg_path = "b"}), resolver_, context),
               Error);
  EXPECT_EQ(files().manifest, "version = 1\n");
}

TEST_F(EnvironmentChange, leaves_directory_modes_and_other_files_as_they_are) {
  write_file(file("env/notes.txt"), "mine");
  fs::create_symlink("notes.txt", file("env/link"));
  ASSERT_EQ(::chmod(file("env").c_str(), 0751), 0);
  ASSERT_EQ(::chmod(file("env/manifest.toml").c_str(), 0664), 0);
  const Fd inside = open_file(file("env"), O_RDONLY | O_DIRECTORY);
  install("a");
  EXPECT_EQ(read_file(file("env/notes.txt")), "mine");
  EXPECT_EQ(fs::read_symlink(file("env/link")), "notes.txt");
  struct stat mine {
  }, there{};
  ASSERT_EQ(::fstat(inside.get(), &mine), 0);
  ASSERT_EQ(::stat(file("env").c_str(), &there), 0);
  EXPECT_EQ(mine.st_ino, there.st_ino);
  EXPECT_EQ(there.st_mode & 07777U, 0751u);
  ASSERT_EQ(::stat(file("env/manifest.toml").c_str(), &there), 0);
  EXPECT_EQ(there.st_mode & 07777U, 0664u);
}

TEST_F(EnvironmentChange, works_beside_a_directory_that_somebody_made_there) {
  fs::create_directories(file("env/mine"));
  write_file(file("env/mine/x"), "x");
  install("a");
  EXPECT_TRUE(environment_.manifest().install.contains("a"));
  EXPECT_EQ(read_file(file("env/mine/x")), "x");
}

TEST_F(EnvironmentChange, of_many_at_once_loses_none_and_says_for_whom_it_waits) {
  std::atomic<bool> waited = false;
  std::vector<std::thread> threads;
  std::atomic<int> begun = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      AnyResolver resolver;
      const std::string id = "p" + std::to_string(i);
      ChangeContext context{.doing = "flox install " + id,
                            .waiting =
                                [&](const std::string& holder) {
                                  EXPECT_THAT(holder,
                                              testing::AnyOf(HasSubstr("flox install p"), "another command"));
                                  waited = true;
                                },
                            // The first one goes on once somebody waits for it.
                            .prepare =
                                [&](const Lockfile&) {
                                  if (begun++ == 0)
                                    while (!waited) std::this_thread::yield();
                                }};
      environment_.edit([&](const std::string& text) { return with_install(text, id, {.pkg_path = id}); },
                        resolver, context);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(waited);
  EXPECT_EQ(environment_.manifest().install.size(), 8u);
  EXPECT_EQ(environment_.lockfile()->packages.size(), 8 * default_systems().size());
}

TEST_F(EnvironmentChange, is_seen_whole_by_who_reads_beside_it) {
  install("a");
  const EnvironmentFiles one = files();
  install("b");
  const EnvironmentFiles two = files();
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 50; ++i) {
      uninstall("b");
      install("b");
    }
    done = true;
  });
  while (!done) {
    const EnvironmentFiles seen = files();
    ASSERT_TRUE(seen == one || seen == two) << seen.manifest << seen.lock.value_or("");
  }
  writer.join();
}

TEST_F(EnvironmentChange, follows_no_link_to_its_lock) {
  write_file(dir_.path() / "precious", "precious");
  fs::create_directories(file("run"));
  fs::create_symlink(dir_.path() / "precious", file("run/lock"));
  EXPECT_THROW(install("a"), Error);
  EXPECT_EQ(read_file(dir_.path() / "precious"), "precious");
  fs::remove(file("run/lock"));
  ASSERT_EQ(::mkfifo(file("run/lock").c_str(), 0644), 0);
  EXPECT_THROW(install("a"), Error);
}

TEST_F(EnvironmentChange, takes_a_new_lock_if_somebody_removes_it_while_waiting) {
  std::optional<EnvironmentLock> first(environment_.exclusive({.doing = "first"}));
  std::atomic<bool> waiting = false;
  std::thread second([&] {
    ChangeContext context{.doing = "second", .waiting = [&](const std::string&) { waiting = true; }};
    const EnvironmentLock turn = environment_.exclusive(context);
    EXPECT_THAT(read_file(file("run/lock")), HasSubstr("second (process "));
  });
  while (!waiting) std::this_thread::yield();
  fs::remove(file("run/lock"));
  first.reset();
  second.join();
}

// Runs the body in a process that is killed at its system call of that number, at its entry or its exit.
// False if it came to its end before.
template <typename Body>
bool killed_at(int number, Body&& body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFSTOPPED(status)) return false;
  ::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  for (int stops = 0;;) {
    ::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
    ::waitpid(pid, &status, 0);
    if (WIFEXITED(status) || WIFSIGNALED(status)) return false;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && ++stops == number) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, &status, 0);
      return true;
    }
  }
}

TEST_F(EnvironmentChange, killed_at_any_system_call_has_happened_or_not) {
  write_file(file("env/notes.txt"), "mine");
  install("a");
  const EnvironmentFiles before = files();
  install("b");
  const EnvironmentFiles after = files();
  uninstall("b");
  int stopped = 0, unchanged = 0, changed = 0;
  for (int number = 1; killed_at(number, [&] { install("b"); }); ++number) {
    ++stopped;
    const EnvironmentFiles seen = files();
    ASSERT_TRUE(seen == before || seen == after) << "killed at stop " << number << ":\n" << seen.manifest;
    ++(seen == before ? unchanged : changed);
    ASSERT_EQ(read_file(file("env/notes.txt")), "mine");
    // Whoever comes next, here or in the next pass, finds an environment that works, and cleans up.
    if (seen == before) continue;
    uninstall("b");
    ASSERT_EQ(files(), before);
    ASSERT_FALSE(fs::exists(file("env.new")));
  }
  if (stopped == 0) GTEST_SKIP() << "ptrace(2) is not permitted here";
  EXPECT_GT(unchanged, 50);
  EXPECT_GT(changed, 5);
  EXPECT_EQ(files(), after);  // the last one was not stopped
  EXPECT_FALSE(fs::exists(file("env.new")));
}

// Read, list, edit, undo: every environment of the corpus, as people have them (test/env/corpus.py).
TEST(EnvironmentCorpus, is_read_edited_and_undone_without_a_byte_of_difference) {
  if (run({.argv = {"python3", "-c", "import tomllib"}}).exit_code != 0)
    GTEST_SKIP() << "python3 with tomllib (3.11) is missing";
  TempDir corpus;
  run_checked({.argv = {"python3", FLOX_SOURCE_DIR "/test/env/corpus.py", corpus.path()}});
  size_t count = 0;
  for (const auto& entry : fs::directory_iterator(corpus.path())) {
    SCOPED_TRACE(entry.path().filename().string());
    ++count;
    const Environment environment = Environment::open(entry.path());
    const EnvironmentFiles before = read_environment_files(entry.path());
    AnyResolver resolver;
    bool is_written = false;
    const Lockfile lock = environment.current_lock(resolver, &is_written);
    EXPECT_TRUE(is_written);
    EXPECT_EQ(resolver.asked, 0);
    environment.lock(resolver);
    EXPECT_EQ(read_environment_files(entry.path()), before);

    const Lockfile edited = environment.edit(
        [&](const std::string& text) {
          return with_install(text, "added", {.pkg_path = "added", .version = "1"});
        },
        resolver);
    EXPECT_GT(edited.packages.size(), lock.packages.size());
    for (const auto& package : lock.packages)
      EXPECT_TRUE(
          std::ranges::any_of(edited.packages, [&](const auto& p) { return p.json == package.json; }));
    EXPECT_EQ(edited.other.size(), lock.other.size());
    environment.edit(
        [&](const std::string& text) {
          return with_install(text, "added", {.pkg_path = "added", .version = "2"});
        },
        resolver);
    environment.edit([&](const std::string& text) { return without_install(text, "added"); }, resolver);
    const EnvironmentFiles after = read_environment_files(entry.path());
    EXPECT_EQ(after.manifest, before.manifest);
    EXPECT_EQ(after.lock, before.lock);

    // However a package is written, it can be uninstalled.
    const Manifest manifest = environment.manifest();
    for (const auto& [id, unused] : manifest.install) {
      environment.edit([&](const std::string& text) { return without_install(text, id); }, resolver);
      EXPECT_FALSE(environment.manifest().install.contains(id));
    }
  }
  EXPECT_GE(count, 60u);
}

}  // namespace
}  // namespace flox::env
