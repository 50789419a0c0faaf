#include "store/local/closure_cache.h"

#include <gtest/gtest.h>

#include "store/testing/published_closure.h"

namespace flox::store {
namespace {

TEST_F(RealiseTest, closures_are_remembered_until_anybody_changes_the_store) {
  LocalStore store(node());
  realise(store, {*app_}, options({url("cache")}));
  const StorePathSet closure = store.closure({*app_});
  EXPECT_EQ(store.closure({*app_}), closure);
  EXPECT_EQ(run_nix({"nix-store", "--store", node().string(), "--gc"}, temp_.path()).exit_code, 0);
  EXPECT_TRUE(store.is_valid(*app_));  // its temporary roots held
  const StorePath other = add(store, "other", "x", {});
  EXPECT_EQ(store.closure({other}), StorePathSet{other});
  EXPECT_EQ(store.closure({*app_}), closure);
}

}  // namespace
}  // namespace flox::store
