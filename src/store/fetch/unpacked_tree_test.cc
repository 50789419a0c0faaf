// What a fetcher hands over is believed only as far as it is on the disk; what it takes along into its cell.
#include "store/fetch/unpacked_tree.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "nix/nar.h"
#include "store/fetch/fetch_messages.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

class UnpackedTreeTest : public testing::Test {
 protected:
  UnpackedTreeTest() {
    fs::create_directories(tree_ / "bin");
    write_file(tree_ / "bin/tool", "#!/bin/sh\n", 0755);
    write_file(tree_ / "text", "text", 0644);
    Sha256 hash;
    nix::write_nar(tree_, [&](std::string_view piece) {
      hash.update(piece);
      info_.nar_size += piece.size();
    });
    info_.nar_hash = hash.finish();
  }
  std::string error() const {
    try {
      verify_unpacked(tree_, info_);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::untrusted) << error.what();
      return error.what();
    }
    return "no error";
  }
  mode_t mode(const char* name) const {
    struct stat status {};
    EXPECT_EQ(::lstat((tree_ / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mtim.tv_sec, 1);
    return status.st_mode & 07777;
  }

  TempDir temp_;
  fs::path tree_ = temp_.path() / "tree";
  nix::PathInfo info_{.path = nix::StorePath::from_base_name(std::string(32, '0') + "-x")};
};

TEST_F(UnpackedTreeTest, a_tree_that_is_what_was_signed_gets_the_modes_and_times_of_a_store) {
  ::chmod((tree_ / "bin/tool").c_str(), 06777);  // set-uid, too
  verify_unpacked(tree_, info_);
  EXPECT_EQ(mode("bin/tool"), 0555u);
  EXPECT_EQ(mode("text"), 0444u);
  EXPECT_EQ(mode("bin"), 0555u);
}

TEST_F(UnpackedTreeTest, other_contents_another_size_and_another_kind_of_file_are_refused) {
  write_file(tree_ / "text", "test");
  EXPECT_THAT(error(), HasSubstr("hash mismatch"));
  write_file(tree_ / "text", "longer than it was before");
  EXPECT_THAT(error(), HasSubstr("larger than"));
  fs::remove(tree_ / "text");
  EXPECT_THAT(error(), HasSubstr("instead of the announced"));
}

TEST_F(UnpackedTreeTest, a_file_that_somebody_may_still_write_is_refused) {
  const Fd open = open_file((tree_ / "text").string(), O_WRONLY);
  EXPECT_THAT(error(), HasSubstr("still open for writing"));
}

TEST_F(UnpackedTreeTest, a_file_with_a_second_name_is_refused) {
  fs::create_hard_link(tree_ / "text", temp_.path() / "mine");
  EXPECT_THAT(error(), HasSubstr("another name"));
}

// A path that is one file, and its addresses by every method.
class UnpackedFileTest : public UnpackedTreeTest {
 protected:
  UnpackedFileTest() {
    remove_tree(tree_);
    write_tree(0644);
  }
  void write_tree(unsigned mode) {
    fs::remove(tree_);
    write_file(tree_, "hello\n", mode);
    Sha256 hash;
    info_.nar_size = 0;
    nar_.clear();
    nix::write_nar(tree_, [&](std::string_view piece) {
      hash.update(piece);
      info_.nar_size += piece.size();
      nar_ += piece;
    });
    info_.nar_hash = hash.finish();
  }
  void address(nix::ContentMethod method, nix::HashAlgorithm algorithm, std::string_view contents) {
    nix::Hasher hasher(algorithm);
    hasher.update(contents);
    info_.content_address = nix::ContentAddress{.method = method, .hash = hasher.finish()};
  }
  std::string nar_;
};

TEST_F(UnpackedFileTest, the_contents_are_compared_with_the_address_by_its_method_and_algorithm) {
  using enum nix::ContentMethod;
  using enum nix::HashAlgorithm;
  for (const auto algorithm : {md5, sha1, sha256, sha512})
    for (const auto method : {flat, text, nar}) {
      address(method, algorithm, method == nar ? nar_ : "hello\n");
      verify_unpacked(tree_, info_);
      address(method, algorithm, "other contents");
      EXPECT_THAT(error(), HasSubstr("is not that of the contents"));
    }
}

TEST_F(UnpackedFileTest, an_address_of_a_file_is_not_one_of_a_program_or_a_link) {
  write_tree(0755);
  address(nix::ContentMethod::flat, nix::HashAlgorithm::sha256, "hello\n");
  EXPECT_THAT(error(), HasSubstr("not executable"));
  fs::rename(tree_, temp_.path() / "target");
  fs::create_symlink(temp_.path() / "target", tree_);
  Sha256 hash;
  info_.nar_size = 0;
  nix::write_nar(tree_, [&](std::string_view piece) {
    hash.update(piece);
    info_.nar_size += piece.size();
  });
  info_.nar_hash = hash.finish();
  EXPECT_THAT(error(), HasSubstr("not executable"));
}

TEST_F(UnpackedTreeTest, a_directory_with_more_names_than_the_nar_can_have_is_not_read_to_its_end) {
  for (int i = 0; i < 100; ++i) write_file(tree_ / std::to_string(i), "");
  try {
    verify_unpacked(tree_, info_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("more files than it can have"));
  }
}

TEST_F(UnpackedTreeTest, a_directory_whose_names_fill_the_memory_is_not_read_to_its_end) {
  // In memory, where links cost a fifth of what they cost on a disk.
  const TempDir memory("flox-", ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "");
  const std::string long_name(240, 'n');
  for (int i = 0; i < 120'000; ++i)
    ASSERT_EQ(::symlink("x", (memory.path() / (long_name + std::to_string(i))).c_str()), 0);
  info_.nar_size = uint64_t{4} << 30;  // as its author has signed it
  try {
    verify_unpacked(memory.path(), info_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("more names than fit into"));
  }
}

TEST(FetchMessages, fields_that_break_their_types_are_refused) {
  nix::NarInfo good{
      .info = {.path = nix::StorePath::from_base_name(std::string(32, '0') + "-x"), .nar_size = 1},
      .url = "nar/x.nar"};
  EXPECT_EQ(from_message(to_message(good)).info.path, good.info.path);
  auto refused = [&](const std::function<void(v1::NarInfo&)>& edit) {
    v1::NarInfo message = to_message(good);
    edit(message);
    EXPECT_THROW(from_message(message), Error);
  };
  refused([](v1::NarInfo& m) { m.mutable_info()->set_path("../../etc/passwd"); });
  refused([](v1::NarInfo& m) { m.mutable_info()->set_nar_hash("short"); });
  refused([](v1::NarInfo& m) { m.mutable_info()->set_nar_size(0); });
  refused([](v1::NarInfo& m) { m.set_url("nar/x\nSig: forged:x"); });
  refused([](v1::NarInfo& m) { m.mutable_info()->add_signatures("a b"); });
  refused([](v1::NarInfo& m) { m.mutable_info()->add_references("/nix/store/x"); });
  refused([](v1::NarInfo& m) { m.set_url(std::string(5000, 'x')); });
  refused([](v1::NarInfo& m) {
    for (int i = 0; i < 100; ++i) m.mutable_info()->add_signatures("a:b");
  });
}

}  // namespace
}  // namespace flox::store
