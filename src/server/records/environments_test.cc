#include "server/records/environments.h"

#include <gtest/gtest.h>

#include "server/records/holdings.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

class EnvironmentRecordsTest : public RecordsTest {
 protected:
  void push(const std::string& owner, const std::string& name, const std::string& manifest) {
    Generation generation{.manifest = manifest, .lock = {}, .pushed_at = "2026-11-29T08:00:00Z"};
    generation.lock.manifest = nlohmann::json::object();
    environments_.push(owner, name, generation);
  }
  EnvironmentRecords environments_{*database_};
};

TEST_F(EnvironmentRecordsTest, are_listed_by_owner_and_name_with_their_latest_generation) {
  push("beta", "web", "one");
  push("acme", "web", "one");
  push("acme", "web", "two");
  push("acme", "api", "one");
  std::string all;
  for (const auto& one : environments_.list())
    all += one.owner + "/" + one.name + ":" + std::to_string(one.latest) + " ";
  EXPECT_EQ(all, "acme/api:1 acme/web:2 beta/web:1 ");
  EXPECT_EQ(environments_.list("beta").size(), 1u);
  EXPECT_TRUE(environments_.list("other").empty());
}

TEST_F(EnvironmentRecordsTest, generations_come_newest_first_and_in_parts) {
  for (const char* manifest : {"one", "two", "three"}) push("acme", "web", manifest);
  const auto first = environments_.generations("acme", "web", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].number, 3);
  EXPECT_EQ(first[0].pushed_at, "2026-11-29T08:00:00Z");
  const auto rest = environments_.generations("acme", "web", 2, first[1].number - 1);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].number, 1);
}

TEST_F(EnvironmentRecordsTest, what_an_owner_has_is_known_by_kind) {
  Holdings holdings(*database_);
  claim(*database_, Kind::package, "web", {.owner = "acme", .is_private = false, .since = {}});
  claim(*database_, Kind::package, "api", {.owner = "acme", .is_private = true, .since = {}});
  claim(*database_, Kind::environment, "acme/web", {.owner = "acme", .is_private = false, .since = {}});
  EXPECT_EQ(holdings.owned(Kind::package, "acme"), (std::vector<std::string>{"api", "web"}));
  EXPECT_TRUE(holdings.owned(Kind::package, "beta").empty());
}

TEST_F(EnvironmentRecordsTest, a_missing_generation_says_whether_it_was_removed_and_which_there_are) {
  for (const char* manifest : {"one", "two", "three", "four"}) push("acme", "web", manifest);
  database_->write([](Session& session) { session.run("delete from environments where number = 2", {}); });
  EXPECT_EQ(environments_.count("acme", "web"), 3);
  EXPECT_EQ(environments_.list().front().generations, 3);
  const Error removed = environments_.missing("acme", "web", 2);
  EXPECT_STREQ(removed.what(), "generation 2 of environment acme/web was removed by a rule of retention");
  EXPECT_EQ(removed.advice(), "Use one that it has: 4, 3, 1.");
  EXPECT_STREQ(environments_.missing("acme", "web", 5).what(), "environment acme/web has no generation 5");
}

}  // namespace
}  // namespace flox::server
