#include "store/local/database.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/data/sqlite.h"
#include "base/error.h"
#include "store/testing/published_store.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

TEST_F(CareTest, a_database_that_somebody_holds_locked_is_a_clear_error) {
  const StorePath a = add("a", "a");
  sqlite::Connection holder(store_.state_directory() / "db/db.sqlite", {});
  const sqlite::Transaction lock(holder);
  LocalStore other(store_.root(), std::chrono::milliseconds(100));
  write_file(temp_.path() / "b", "b");
  try {
    other.add_tree(temp_.path() / "b", "b", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("database is locked"));
    EXPECT_THAT(error.advice(), HasSubstr("fuser"));
  }
  EXPECT_TRUE(other.query(a).has_value());
}

}  // namespace
}  // namespace flox::store
