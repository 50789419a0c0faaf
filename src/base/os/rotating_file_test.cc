#include "base/os/rotating_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

TEST(RotatingFile, begins_anew_when_it_is_full_and_keeps_so_many_older_ones) {
  const TempDir dir;
  const fs::path path = dir.path() / "log";
  RotatingFile file(path, 8, 2);
  for (const char* line : {"one", "two", "three", "a line that is longer", "five"}) file.add(line);
  EXPECT_EQ(read_file(path), "five\n");
  EXPECT_EQ(read_file(path.string() + ".1"), "a line that is longer\n");
  EXPECT_EQ(read_file(path.string() + ".2"), "three\n");
  EXPECT_FALSE(fs::exists(path.string() + ".3"));
}

TEST(RotatingFile, goes_on_where_the_last_process_stopped_and_is_its_owners_alone) {
  const TempDir dir;
  const fs::path path = dir.path() / "log";
  RotatingFile(path, 100, 1).add("one");
  RotatingFile(path, 100, 1).add("two");
  EXPECT_EQ(read_file(path), "one\ntwo\n");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  RotatingFile(path, 9, 1).add("three");
  EXPECT_EQ(read_file(path), "three\n");
  EXPECT_EQ(read_file(path.string() + ".1"), "one\ntwo\n");
}

TEST(RotatingFile, leaves_a_file_alone_that_somebody_moves_away) {
  const TempDir dir;
  const fs::path path = dir.path() / "log", taken = dir.path() / "taken";
  RotatingFile file(path, 0, 1);
  file.add("one");
  fs::rename(path, taken);
  file.add("two");
  EXPECT_EQ(read_file(taken), "one\n");
  EXPECT_EQ(read_file(path), "two\n");
}

TEST(RotatingFile, has_nothing_of_a_line_that_does_not_fit_on_the_disk) {
  const TempDir dir;
  RotatingFile file(dir.path() / "log", 0, 1);
  file.add("one");
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit little{.rlim_cur = 7, .rlim_max = before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &little);
  EXPECT_THROW(file.add("a line of some length"), Error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(dir.path() / "log"), "one\n");
  file.add("two");
  EXPECT_EQ(read_file(dir.path() / "log"), "one\ntwo\n");
}

TEST(RotatingFile, is_neither_a_link_nor_a_directory) {
  const TempDir dir;
  fs::create_symlink("elsewhere", dir.path() / "link");
  EXPECT_THROW(RotatingFile(dir.path() / "link", 100, 1), Error);
  EXPECT_THROW(RotatingFile(dir.path(), 100, 1), Error);
}

}  // namespace
}  // namespace flox
