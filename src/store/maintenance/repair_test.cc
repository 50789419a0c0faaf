#include "store/maintenance/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/maintenance/optimise.h"
#include "store/maintenance/verify.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CareTest, damaged_and_missing_paths_are_repaired_from_a_cache) {
  const std::string text(50'000, 'x');
  const StorePath a = add("a", text);
  const StorePath b = add("b", text);
  upload({.key = &key_}, {a, b});
  optimise(store_);
  damage(file(a), "broken");
  EXPECT_EQ(verify(store_).size(), 2u);  // they share the file
  for (const Damage& found : verify(store_)) repair(store_, found.path, {cache_url()});
  EXPECT_THAT(verify(store_), IsEmpty());
  EXPECT_EQ(nix({"nix-store", "--verify", "--check-contents"}, store_.root()).exit_code, 0);
  fs::rename(store_.real_path(a), temp_.path() / "gone");
  repair(store_, a, {"file:///nowhere", cache_url()});
  EXPECT_THAT(verify(store_), IsEmpty());
  EXPECT_TRUE(fs::is_empty(store_.scratch_directory()));
}

TEST_F(CareTest, a_cache_with_other_contents_repairs_nothing) {
  const StorePath a = add("a", "a");
  upload({.key = &key_}, {a});
  nix::NarInfo lie = narinfo(a);
  lie.info.nar_hash[0] ^= 1;
  write_file(temp_.path() / "cache" / (std::string(a.digest()) + ".narinfo"), lie.to_string());
  damage(file(a), "broken");
  try {
    repair(store_, a, {cache_url(), "file:///nowhere"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("not those that were registered"));
    EXPECT_THAT(error.what(), HasSubstr("file:///nowhere"));
  }
  EXPECT_EQ(read_file(file(a)), "broken");
}

}  // namespace
}  // namespace flox::store
