#include "server/database/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/os/file.h"
#include "server/testing/database.h"

namespace flox::server {
namespace {

class MigrationsTest : public testing::Test {
 protected:
  bool has_table(std::string_view name) {
    try {
      database_->row<int64_t>(fmt::format("select count(*) from {}", name));
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  TempDir dir_;
  TestDatabase test_database_{dir_.path()};
  std::unique_ptr<Database> database_ = test_database_.open_empty();
  const Migration first_{1, "one", "create table one (word text not null)"};
  const Migration second_{2, "two", "create table two (word text not null)",
                          [](Session& session) { session.run("insert into two (word) values ('x')"); }};
};

TEST_F(MigrationsTest, each_step_is_taken_once) {
  migrate(*database_, std::vector{first_});
  EXPECT_TRUE(has_table("one"));
  EXPECT_FALSE(has_table("two"));
  for (int start = 0; start < 2; ++start) migrate(*database_, std::vector{first_, second_});
  EXPECT_EQ(database_->rows<std::string>("select word from two").size(), 1u);
}

TEST_F(MigrationsTest, a_step_that_fails_leaves_the_schema_as_it_was) {
  const Migration failing{2, "two", "create table two (word text not null)",
                          [](Session&) { fail(ErrorKind::internal, "broken"); }};
  try {
    migrate(*database_, std::vector{first_, failing});
    ADD_FAILURE() << "was taken";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("changing the schema to 2 (two): broken"));
  }
  EXPECT_FALSE(has_table("one"));
  EXPECT_FALSE(has_table("two"));
  migrate(*database_, std::vector{first_, second_});
  EXPECT_TRUE(has_table("two"));
}

TEST_F(MigrationsTest, the_database_of_a_newer_release_is_refused) {
  migrate(*database_, std::vector{first_, second_});
  try {
    migrate(*database_, std::vector{first_});
    ADD_FAILURE() << "was opened";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    EXPECT_THAT(error.what(), testing::HasSubstr("newer flox-catalog"));
  }
}

TEST_F(MigrationsTest, catalogs_that_start_at_once_migrate_once) {
  std::vector<std::unique_ptr<Database>> databases;
  for (int i = 0; i < 4; ++i) databases.push_back(test_database_.open_empty());
  std::vector<std::thread> starts;
  for (const auto& database : databases)
    starts.emplace_back([&] { migrate(*database, std::vector{first_, second_}); });
  for (auto& start : starts) start.join();
  EXPECT_EQ(database_->rows<std::string>("select word from two").size(), 1u);
}

}  // namespace
}  // namespace flox::server
