#include "base/os/file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox {
namespace {

using testing::HasSubstr;

TEST(Error, a_missing_file_is_not_found) {
  try {
    read_file("/nonexistent/file");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.what(), HasSubstr("/nonexistent/file"));
  }
}

TEST(File, a_written_file_is_read_back_and_leaves_no_temporary) {
  TempDir dir;
  write_file(dir.path() / "a", "one");
  write_file(dir.path() / "a", "two");
  EXPECT_EQ(read_file(dir.path() / "a"), "two");
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), {}), 1);
}

TEST(File, is_written_by_its_name_alone_into_the_current_directory) {
  TempDir dir;
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  EXPECT_NO_THROW(write_file_synced("a", "one"));
  fs::current_path(before);
  EXPECT_EQ(read_file(dir.path() / "a"), "one");
  EXPECT_EQ(directory_of("a"), ".");
  EXPECT_EQ(directory_of("x/a"), "x");
  EXPECT_EQ(directory_of("/a"), "/");
}

TEST(File, is_read_up_to_a_limit) {
  TempDir dir;
  const fs::path file = dir.path() / "a";
  write_file(file, "1234");
  EXPECT_EQ(read_file(file, 4), "1234");
  EXPECT_THROW(read_file(file, 3), Error);
  EXPECT_THROW(read_file("/dev/zero", 100'000), Error) << "has no end";
  fs::resize_file(file, max_read_file + 1);  // takes no space
  EXPECT_THROW(read_file(file), Error);
}

TEST(TempDir, of_a_killed_process_goes_with_the_next_of_its_prefix) {
  const TempDir parent;
  const auto count = [&] { return std::distance(fs::directory_iterator(parent.path()), {}); };
  const TempDir used("work-", parent.path());
  // As one whose process was killed: of that name, and nobody has it locked.
  std::string left = used.path().string();
  left.back() = left.back() == 'a' ? 'b' : 'a';
  fs::create_directories(fs::path(left) / "with/files");
  fs::create_directory(parent.path() / "work-something");
  EXPECT_EQ(count(), 3);
  const TempDir next("work-", parent.path());
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(used.path())) << "it is in use";
  EXPECT_TRUE(fs::exists(parent.path() / "work-something")) << "it is no temporary directory";
  EXPECT_EQ(count(), 3);
}

TEST(TempDir, may_be_locked_by_whoever_works_in_it) {
  const TempDir used;
  const Fd other(::open(used.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
}

TEST(TempDir, that_is_released_holds_no_descriptor) {
  const auto open = [] { return std::distance(fs::directory_iterator("/proc/self/fd"), {}); };
  const TempDir parent;
  const auto before = open();
  TempDir made("work-", parent.path());
  made.release();
  EXPECT_EQ(open(), before);
}

TEST(TempDir, of_a_process_that_became_another_program_stays_while_that_runs) {
  const TempDir parent;
  const pid_t child = fork();
  if (child == 0) {
    const TempDir made("work-", parent.path());
    made.lock_for_successor();
    execl("/bin/sh", "sh", "-c", "touch \"$1/../ready\"; exec sleep 1000", "sh", made.path().c_str(),
          static_cast<char*>(nullptr));
    _exit(127);
  }
  for (int i = 0; i < 6000 && !fs::exists(parent.path() / "ready"); ++i) usleep(10'000);
  const auto count = [&] { return std::distance(fs::directory_iterator(parent.path()), {}); };
  { const TempDir next("work-", parent.path()); }
  EXPECT_EQ(count(), 2) << "it is in use";
  EXPECT_EQ(kill(child, SIGKILL), 0);
  waitpid(child, nullptr, 0);
  { const TempDir next("work-", parent.path()); }
  EXPECT_EQ(count(), 1) << "nobody has it any more";
}

TEST(TempDir, that_has_been_moved_away_stays_where_it_is) {
  const TempDir parent;
  const fs::path kept = parent.path() / "kept";
  {
    TempDir made("work-", parent.path());
    fs::rename(made.path(), kept);
    (void)made.release();
  }
  const TempDir next("work-", parent.path());
  EXPECT_TRUE(fs::exists(kept));
}

}  // namespace
}  // namespace flox
