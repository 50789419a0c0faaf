#include "shim/imageless/termination_message.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox::shim {
namespace {

namespace fs = std::filesystem;

class TerminationMessageTest : public testing::Test {
 protected:
  TempDir dir_;
  fs::path file_ = dir_.path() / "log";
};

TEST_F(TerminationMessageTest, SaysWhatCouldNotBeRead) {
  write_file(file_, "", 0666);
  write_termination_message(file_, "/nix/store/x: the cache is away");
  EXPECT_EQ(read_file(file_),
            "flox: files of the environment could not be read: /nix/store/x: the cache is away");
  write_file(file_, "", 0666);
  write_termination_message(file_, std::string(10'000, 'x'));
  EXPECT_EQ(read_file(file_).size(), 4096u);
}

TEST_F(TerminationMessageTest, LeavesWhatTheContainerHasSaid) {
  write_file(file_, "my own words", 0666);
  write_termination_message(file_, "x");
  EXPECT_EQ(read_file(file_), "my own words");
}

TEST_F(TerminationMessageTest, WritesNoFileThatAPodHasMountedThere) {
  write_file(file_, "", 0644);
  write_termination_message(file_, "x");
  EXPECT_EQ(read_file(file_), "");
}

TEST_F(TerminationMessageTest, WritesIntoNothingButAFile) {
  const fs::path other = dir_.path() / "other", link = dir_.path() / "link";
  write_file(other, "", 0666);
  fs::create_symlink(other, link);
  EXPECT_THROW(write_termination_message(link, "x"), Error);
  EXPECT_EQ(read_file(other), "");
  EXPECT_THROW(write_termination_message(dir_.path() / "none", "x"), Error);
  EXPECT_FALSE(fs::exists(dir_.path() / "none"));
  EXPECT_NO_THROW(write_termination_message("/dev/null", "x"));
}

}  // namespace
}  // namespace flox::shim
