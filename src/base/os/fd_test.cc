#include "base/os/fd.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>

#include "base/error.h"

namespace flox {
namespace {

using testing::HasSubstr;

class FdTest : public testing::Test {
 protected:
  std::string read(size_t size, uint64_t offset) const {
    std::string buffer(size, '?');
    buffer.resize(read_at(file_.get(), buffer.data(), buffer.size(), offset));
    return buffer;
  }

  const Fd file_{::memfd_create("file", MFD_CLOEXEC)};
};

TEST_F(FdTest, what_is_written_at_a_place_is_read_there_wherever_the_descriptor_stands) {
  write_all_at(file_.get(), "world", 6);
  write_all_at(file_.get(), "hello ", 0);
  EXPECT_EQ(read(5, 6), "world");
  EXPECT_EQ(read(4, 1), "ello");
  EXPECT_EQ(read_all(file_.get()), "hello world");
}

TEST_F(FdTest, fewer_bytes_are_read_only_at_the_files_end) {
  write_all(file_.get(), "hello");
  EXPECT_EQ(read(100, 3), "lo");
  EXPECT_EQ(read(100, 5), "");
  EXPECT_EQ(read(100, 1 << 20), "");
  EXPECT_EQ(read(0, 0), "");
}

TEST_F(FdTest, what_cannot_be_read_is_an_error) {
  const Fd directory = open_file("/", O_RDONLY | O_DIRECTORY);
  char byte = 0;
  try {
    read_at(directory.get(), &byte, 1, 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("reading"));
  }
}

}  // namespace
}  // namespace flox
