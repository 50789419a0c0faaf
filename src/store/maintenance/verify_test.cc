#include "store/maintenance/verify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CareTest, verifying_names_what_is_damaged_and_missing) {
  const StorePath a = add("a", "a");
  const StorePath b = add("b", "b");
  const StorePath c = add("c", "c");
  EXPECT_THAT(verify(store_), IsEmpty());
  damage(file(a), "x");
  fs::rename(store_.real_path(b), temp_.path() / "gone");
  const auto damages = verify(store_);
  ASSERT_EQ(damages.size(), 2u);
  EXPECT_THAT(damages[a < b ? 0 : 1].problem, HasSubstr("NAR hash is"));
  EXPECT_THAT(damages[a < b ? 1 : 0].problem, HasSubstr("missing"));
  EXPECT_THAT(verify(store_, {.paths = {c}}), IsEmpty());
  EXPECT_EQ(verify(store_, {.contents = false}).size(), 1u);
  EXPECT_THROW(verify(store_, {.paths = {StorePath::from_base_name(std::string(32, '1') + "-x")}}), Error);
}

}  // namespace
}  // namespace flox::store
