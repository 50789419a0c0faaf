#include "base/os/unfinished_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(UnfinishedFile, is_there_once_it_is_whole_and_otherwise_not_at_all) {
  const TempDir dir;
  const Directory directory(dir.path());
  {
    const UnfinishedFile file(directory, "key", 0600);
    write_all(file.fd(), "half");
    EXPECT_FALSE(directory.exists("key"));
  }
  EXPECT_THAT(directory.names(), IsEmpty());
  {
    UnfinishedFile file(directory, "key", 0600);
    write_all(file.fd(), "whole");
    file.create();
  }
  EXPECT_THAT(directory.names(), ElementsAre("key"));
  EXPECT_EQ(directory.read_file("key", 10), "whole");
  EXPECT_EQ(directory.status("key")->st_mode & 0777, 0600u);
}

TEST(UnfinishedFile, takes_a_name_that_is_taken_only_if_it_is_told_to) {
  const TempDir dir;
  const Directory directory(dir.path());
  directory.write_file("key", "old");
  {
    UnfinishedFile file(directory, "key", 0600);
    write_all(file.fd(), "new");
    EXPECT_THROW(file.create(), Error);
  }
  EXPECT_EQ(directory.read_file("key", 10), "old");
  {
    UnfinishedFile file(directory, "key", 0600);
    write_all(file.fd(), "new");
    file.replace();
  }
  EXPECT_EQ(directory.read_file("key", 10), "new");
  EXPECT_THAT(directory.names(), ElementsAre("key"));
  EXPECT_THROW(UnfinishedFile(directory, "a/b", 0600), Error);
}

}  // namespace
}  // namespace flox
