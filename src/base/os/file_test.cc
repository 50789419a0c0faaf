#include "base/os/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

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

}  // namespace
}  // namespace flox
