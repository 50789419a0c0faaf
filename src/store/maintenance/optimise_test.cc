#include "store/maintenance/optimise.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "store/testing/published_store.h"

namespace flox::store {
namespace {

TEST_F(CareTest, equal_files_become_one_and_nix_agrees_with_every_path_and_link) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  const StorePath b = add("b", text);
  const StorePath c = add("c", text + "y");
  const OptimiseResult result = optimise(store_);
  EXPECT_EQ(result.files, 6u);
  EXPECT_EQ(result.files_linked, 1u);
  EXPECT_GE(result.bytes_saved, 50'000u);
  EXPECT_EQ(number(file(a)), number(file(b)));
  EXPECT_NE(number(file(a)), number(file(c)));
  EXPECT_EQ(optimise(store_).files_linked, 0u);
  struct stat directory {};
  ::stat(file(b).parent_path().c_str(), &directory);
  EXPECT_EQ(directory.st_mtim.tv_sec, 1);
  EXPECT_EQ(directory.st_mode & 07777, 0555u);
  // Nix checks each link's name against its contents, and finds nothing left to link.
  const Outcome verified = nix({"nix-store", "--verify", "--check-contents"}, store_.root());
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
  const ino_t before = number(file(a));
  EXPECT_EQ(nix({"nix-store", "--optimise"}, store_.root()).exit_code, 0);
  EXPECT_EQ(number(file(a)), before);
  EXPECT_EQ(number(file(b)), before);
}

TEST_F(CareTest, we_use_the_links_that_nix_made) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  ASSERT_EQ(nix({"nix-store", "--optimise"}, store_.root()).exit_code, 0);
  const StorePath b = add("b", text);
  EXPECT_EQ(optimise(store_).files_linked, 1u);
  EXPECT_EQ(number(file(a)), number(file(b)));
}

TEST_F(CareTest, a_damaged_link_spreads_nowhere) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  optimise(store_);
  damage(file(a), std::string(50'000, 'z'));  // and with it the link
  const StorePath b = add("b", text);
  const OptimiseResult result = optimise(store_);
  EXPECT_EQ(result.links_mended, 1u);
  EXPECT_EQ(read_file(file(b)), text);
}

}  // namespace
}  // namespace flox::store
