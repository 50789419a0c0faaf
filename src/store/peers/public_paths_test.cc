#include "store/peers/public_paths.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/os/file.h"

namespace flox::store {
namespace {

class PublicPathsTest : public testing::Test {
 protected:
  static nix::PathInfo info(char letter, const std::string& contents = "a") {
    nix::PathInfo result{.path = nix::StorePath::from_base_name(std::string(32, letter) + "-a")};
    result.nar_hash = sha256(contents);
    return result;
  }
  static bool all_there(std::string_view /*digest*/) { return true; }

  const TempDir directory_;
  const std::filesystem::path file_ = directory_.path() / "public";
};

TEST_F(PublicPathsTest, all_is_private_but_what_was_added_and_that_outlives_the_program) {
  {
    PublicPaths known(file_, all_there);
    EXPECT_FALSE(known.contains(info('a')));
    known.add({info('a'), info('b')});
    EXPECT_TRUE(known.contains(info('a')));
  }
  const PublicPaths again(file_, all_there);
  EXPECT_TRUE(again.contains(info('a')));
  EXPECT_TRUE(again.contains(info('b')));
  EXPECT_FALSE(again.contains(info('c')));
}

TEST_F(PublicPathsTest, other_contents_of_the_same_name_are_private) {
  PublicPaths known(file_, all_there);
  known.add({info('a', "one")});
  EXPECT_FALSE(known.contains(info('a', "other")));
  known.add({info('a', "other")});
  EXPECT_TRUE(known.contains(info('a', "other")));
  EXPECT_FALSE(known.contains(info('a', "one"))) << "a store has one path of a digest";
}

TEST_F(PublicPathsTest, two_programs_may_write_at_once) {
  PublicPaths one(file_, all_there), two(file_, all_there);
  one.add({info('a')});
  two.add({info('b')});
  EXPECT_TRUE(two.contains(info('a')));
  EXPECT_TRUE(one.contains(info('b')));
}

TEST_F(PublicPathsTest, at_the_limit_what_has_left_the_store_makes_room_and_the_rest_stays_private) {
  std::set<std::string, std::less<>> store{std::string(32, 'b')};
  PublicPaths known(
      file_, [&](std::string_view digest) { return store.contains(digest); }, 2);
  known.add({info('a'), info('b')});
  known.add({info('c')});
  EXPECT_FALSE(known.contains(info('a')));
  EXPECT_TRUE(known.contains(info('b')));
  EXPECT_TRUE(known.contains(info('c')));
  known.add({info('d'), info('c', "other")});
  EXPECT_FALSE(known.contains(info('d')));
  EXPECT_TRUE(known.contains(info('c', "other"))) << "what is there takes no more room";
}

TEST_F(PublicPathsTest, a_file_that_is_damaged_is_begun_anew_and_all_is_private) {
  { PublicPaths(file_, all_there).add({info('a')}); }
  write_file(file_, std::string(8192, 'x'));
  PublicPaths known(file_, all_there);
  EXPECT_FALSE(known.contains(info('a')));
  known.add({info('b')});
  EXPECT_TRUE(PublicPaths(file_, all_there).contains(info('b')));
}

TEST_F(PublicPathsTest, what_cannot_be_opened_for_a_reason_that_may_pass_is_left_alone) {
  std::filesystem::create_directory(file_);
  PublicPaths known(file_, all_there);
  known.add({info('a')});
  EXPECT_FALSE(known.contains(info('a')));
  EXPECT_TRUE(std::filesystem::is_directory(file_));
}

TEST_F(PublicPathsTest, where_nothing_can_be_kept_all_is_private) {
  std::filesystem::create_directories(file_ / "in-the-way");
  PublicPaths known(file_, all_there);
  known.add({info('a')});
  EXPECT_FALSE(known.contains(info('a')));
}

}  // namespace
}  // namespace flox::store
