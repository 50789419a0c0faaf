#include "base/os/beside.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::ElementsAre;

TEST(Beside, what_a_killed_writer_has_left_goes_when_the_file_is_written_again) {
  const TempDir dir;
  const Directory directory(dir.path());
  directory.create_file(".lock.new", "half");
  replace_file(directory, "lock", "whole", 0640, false);
  EXPECT_EQ(directory.read_file("lock", 10), "whole");
  EXPECT_EQ(directory.status("lock")->st_mode & 0777U, 0640U);
  EXPECT_THAT(directory.names(), ElementsAre("lock"));
}

TEST(Beside, who_is_writing_is_left_alone) {
  const TempDir dir;
  const Directory directory(dir.path());
  const auto [writing, name] = make_file_beside(directory, "lock", 0600);
  write_all(writing.get(), "half");
  replace_file(directory, "lock", "whole", 0600, true);
  EXPECT_THAT(directory.names(), ElementsAre(name, "lock"));
  EXPECT_EQ(directory.read_file(name, 10), "half");
}

TEST(Beside, what_is_another_user_s_stays) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const TempDir dir;
  const Directory directory(dir.path());
  directory.create_file(".lock.new", "of somebody");
  ASSERT_EQ(::fchownat(directory.fd(), ".lock.new", 65534, 65534, 0), 0);
  replace_file(directory, "lock", "whole", 0600, false);
  EXPECT_THAT(directory.names(), ElementsAre(".lock.new", "lock"));
}

TEST(Beside, locks_of_what_only_this_kernel_has_are_told) {
  const TempDir memory("flox-", "/dev/shm");
  EXPECT_TRUE(tells_all_locks(Directory(memory.path()).fd()));
  EXPECT_FALSE(tells_all_locks(Directory("/proc").fd()));
}

TEST(Beside, a_failure_leaves_the_old_file_and_nothing_beside_it) {
  const TempDir dir;
  const Directory directory(dir.path());
  directory.make_directory("lock/full");
  EXPECT_THROW(replace_file(directory, "lock", "whole", 0600, false), Error);
  EXPECT_THAT(directory.names(), ElementsAre("lock"));
  EXPECT_THROW(replace_file(directory, "a/b", "whole", 0600, false), Error);
}

}  // namespace
}  // namespace flox
