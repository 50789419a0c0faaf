#include "base/os/directory.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/file.h"

namespace flox {
namespace {

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() {
    fs::create_directory(temporary_.path() / "in");
    fs::create_directory(temporary_.path() / "out");
    flox::write_file(temporary_.path() / "out/secret", "secret");
    directory_.emplace(temporary_.path() / "in");
  }
  void link(const std::string& name, const fs::path& target) {
    fs::create_symlink(target, temporary_.path() / "in" / name);
  }
  template <typename Call>
  static std::optional<ErrorKind> kind_of(Call&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.kind();
    }
    return std::nullopt;
  }
  std::vector<std::string> outside() const { return Directory(temporary_.path() / "out").names(); }

  TempDir temporary_;
  std::optional<Directory> directory_;
};

TEST_F(DirectoryTest, WritesAndReadsBelowItself) {
  directory_->make_directory("a/b/c");
  directory_->write_file("a/b/c/file", "one", 0640);
  directory_->write_file("a/b/c/file", "two", 0600);
  EXPECT_EQ(directory_->read_file("a/b/c/file", 3), "two");
  EXPECT_EQ(directory_->status("a/b/c/file")->st_mode & 07777, 0600);
  EXPECT_EQ(directory_->subdirectory("a/b").names(), std::vector<std::string>{"c"});
  directory_->make_link("a/link", "b/c");
  EXPECT_EQ(directory_->read_link("a/link"), "b/c");
  directory_->rename("a/b/c/file", *directory_, "moved");
  EXPECT_EQ(directory_->read_file("./moved", 100), "two");
}

TEST_F(DirectoryTest, NamesThatLeadOutAreRefused) {
  for (const char* path : {"", "/", "..", "../out/secret", "a/../../out/secret", "/etc/passwd", "a/..", "."})
    EXPECT_EQ(kind_of([&] { directory_->open(path, O_RDONLY); }), ErrorKind::invalid_input) << path;
  EXPECT_EQ(kind_of([&] { directory_->open(std::string("a\0b", 3), O_RDONLY); }), ErrorKind::invalid_input);
  EXPECT_EQ(kind_of([&] { directory_->open(std::string(256, 'x'), O_RDONLY); }), ErrorKind::invalid_input);
  EXPECT_EQ(kind_of([&] { directory_->write_file("../out/new", "x"); }), ErrorKind::invalid_input);
}

TEST_F(DirectoryTest, LinksAreNeverFollowed) {
  link("dir", temporary_.path() / "out");
  link("file", "../out/secret");
  link("dangling", "../out/new");
  const ErrorKind untrusted = ErrorKind::untrusted;
  EXPECT_EQ(kind_of([&] { directory_->open("dir/secret", O_RDONLY); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->open("file", O_RDONLY); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->open("file", O_WRONLY); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->read_file("file", 100); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->subdirectory("dir"); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->make_directory("dir/sub"); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->make_directory("dir"); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->write_file("dir/new", "x"); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->create_file("dangling", "x"); }), ErrorKind::conflict);
  EXPECT_EQ(kind_of([&] { directory_->status("dir/secret"); }), untrusted);
  EXPECT_EQ(kind_of([&] { directory_->remove("dir/secret"); }), untrusted);
  EXPECT_EQ(outside(), std::vector<std::string>{"secret"});
}

TEST_F(DirectoryTest, ALinkIsReplacedAndNotWrittenThrough) {
  link("file", "../out/secret");
  directory_->write_file("file", "mine");
  EXPECT_EQ(flox::read_file(temporary_.path() / "out/secret"), "secret");
  EXPECT_TRUE(S_ISREG(directory_->status("file")->st_mode));
}

TEST_F(DirectoryTest, ALinkIsNoDirectoryToBeginWith) {
  link("dir", temporary_.path() / "out");
  EXPECT_EQ(kind_of([&] { Directory(temporary_.path() / "in/dir"); }), ErrorKind::untrusted);
}

TEST_F(DirectoryTest, ReadingIsBoundedAndDoesNotWait) {
  directory_->write_file("file", std::string(200'000, 'x'));
  EXPECT_EQ(directory_->read_file("file", 200'000).size(), 200'000);
  EXPECT_EQ(kind_of([&] { directory_->read_file("file", 199'999); }), ErrorKind::invalid_input);
  ASSERT_EQ(::mkfifo((temporary_.path() / "in/fifo").c_str(), 0600), 0);
  EXPECT_EQ(kind_of([&] { directory_->read_file("fifo", 10); }), ErrorKind::untrusted);
  EXPECT_EQ(kind_of([&] { directory_->names(1); }), ErrorKind::invalid_input);
}

TEST_F(DirectoryTest, RemovesWhatIsThereAndNothingBehindLinks) {
  directory_->make_directory("tree/a/b");
  directory_->make_link("tree/a/b/out", (temporary_.path() / "out").string());
  directory_->write_file("tree/a/file", "x");
  ::chmod((temporary_.path() / "in/tree/a").c_str(), 0555);
  directory_->remove("tree");
  directory_->remove("tree");
  directory_->remove("none/at/all");
  EXPECT_TRUE(directory_->names().empty());
  EXPECT_EQ(outside(), std::vector<std::string>{"secret"});
}

TEST_F(DirectoryTest, RemovesATreeThatIsDeeperThanItsDescriptors) {
  Directory at = directory_->make_directory("deep");
  for (int i = 0; i < 500; ++i) at = at.make_directory("d");
  directory_->remove("deep");
  EXPECT_TRUE(directory_->names().empty());
}

TEST_F(DirectoryTest, ATreeOfAnyDepthIsRemovedWithFewDescriptors) {
  const Directory start = directory_->make_directory("deep");
  Fd at(::openat(start.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
    at.reset(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit few{256, limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  EXPECT_NO_THROW(remove_tree(temporary_.path() / "in/deep"));
  ::setrlimit(RLIMIT_NOFILE, &limit);
  EXPECT_TRUE(directory_->names().empty());
}

TEST(FileName, IsOneComponent) {
  EXPECT_TRUE(is_file_name("...a"));
  for (const char* name : {"", ".", "..", "a/b", "/"}) EXPECT_FALSE(is_file_name(name)) << name;
  EXPECT_THROW(file_name("../x", "the shell"), Error);
}

}  // namespace
}  // namespace flox
