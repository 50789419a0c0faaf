#include "kube/pods/log_rotation.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "base/os/file.h"
#include "testing/names_in.h"

namespace flox::kube {
namespace {

using testing::ElementsAre;

class LogRotationTest : public testing::Test {
 protected:
  void rotate() {
    rotate_log(dir_.path(), "0.log", {.bytes = 10, .files = 3},
               std::chrono::system_clock::from_time_t(1'764'417'600 + seconds_++),
               [this] { write_file(dir_.path() / "0.log", ""); });
  }
  TempDir dir_;
  int seconds_ = 0;
};

TEST_F(LogRotationTest, a_log_that_is_full_is_moved_away_and_the_oldest_ones_go) {
  rotate();  // there is none
  EXPECT_THAT(names_in(dir_.path()), ElementsAre());
  for (const char* text : {"not full", "one is full", "two is full", "three is full"}) {
    write_file(dir_.path() / "0.log", text);
    rotate();
  }
  write_file(dir_.path() / "10.log", "another attempt's");
  EXPECT_THAT(names_in(dir_.path()),
              ElementsAre("0.log", "0.log.20251129-120003", "0.log.20251129-120004", "10.log"));
  EXPECT_EQ(read_file(dir_.path() / "0.log.20251129-120004"), "three is full");
  EXPECT_EQ(read_file(dir_.path() / "0.log"), "");
}

TEST_F(LogRotationTest, two_that_are_full_in_one_second_are_kept_both) {
  for (const char* text : {"one is full", "two is full"}) {
    write_file(dir_.path() / "0.log", text);
    seconds_ = 0;
    rotate();
  }
  EXPECT_THAT(names_in(dir_.path()),
              ElementsAre("0.log", "0.log.20251129-120000", "0.log.20251129-120000.001"));
}

TEST_F(LogRotationTest, a_runtime_that_does_not_open_it_anew_goes_on_writing_to_the_log) {
  write_file(dir_.path() / "0.log", "it is full");
  EXPECT_THROW(rotate_log(dir_.path(), "0.log", {.bytes = 10, .files = 3}, {},
                          [] { fail(ErrorKind::unavailable, "no runtime"); }),
               Error);
  EXPECT_THAT(names_in(dir_.path()), ElementsAre("0.log"));
}

TEST_F(LogRotationTest, the_last_two_attempts_keep_their_logs) {
  for (const char* name : {"0.log", "0.log.20251129-120000", "9.log", "10.log", "11.log", "notes", "8.txt"})
    write_file(dir_.path() / name, "x");
  remove_old_logs(dir_.path(), 11);
  EXPECT_THAT(names_in(dir_.path()), ElementsAre("10.log", "11.log", "8.txt", "notes"));
}

TEST_F(LogRotationTest, a_process_moves_its_own_log_away) {
  const fs::path log = dir_.path() / "own.log";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const Fd fd = open_file(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd.get(), STDERR_FILENO);
    for (const char* line : {"first\n", "second\n"}) {
      if (::write(STDERR_FILENO, line, std::strlen(line)) < 0) ::_exit(1);
      rotate_own_log(log, 6);
    }
    rotate_own_log(dir_.path() / "other.log", 0);
    if (::write(STDERR_FILENO, "third\n", 6) < 0) ::_exit(1);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read_file(dir_.path() / "own.log.1"), "second\n");
  EXPECT_EQ(read_file(log), "third\n");
}

}  // namespace
}  // namespace flox::kube
