#include "server/records/retention.h"

#include <gmock/gmock.h>

#include <map>

#include "server/records/environments.h"
#include "server/records/holdings.h"
#include "server/records/removal_marks.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class RetentionTest : public RecordsTest {
 protected:
  void publish(const std::string& version, const std::string& published_at = "2026-01-01T00:00:00Z",
               std::optional<std::string> yanked = {}) {
    catalog::PackageBuild made = build("web", version, "", version.back());
    made.published_at = published_at;
    made.yanked = std::move(yanked);
    records_.add(made);
  }
  void push(const std::string& manifest, const std::string& pushed_at = "2026-01-01T00:00:00Z") {
    Generation generation{.number = 0, .manifest = manifest, .lock = {}, .pushed_at = pushed_at};
    generation.lock.manifest = nlohmann::json::object();
    environments_.push("acme", "env", generation);
  }
  template <typename Builds>
  std::vector<std::string> versions(const Builds& builds) {
    std::vector<std::string> result;
    for (const auto& one : builds) result.push_back(one.version);
    return result;
  }
  std::vector<int64_t> generations(const RetentionPlan& plan) {
    std::vector<int64_t> result;
    for (const auto& one : plan.generations) result.push_back(one.number);
    return result;
  }
  RetentionPlan plan() { return retention_.plan(std::nullopt); }

  EnvironmentRecords environments_{*database_};
  Retention retention_{*database_};
};

TEST_F(RetentionTest, without_a_rule_everything_stays) {
  for (const char* version : {"1.1", "1.2", "1.3"}) publish(version);
  push("a");
  push("b");
  EXPECT_THAT(plan().builds, IsEmpty());
  EXPECT_THAT(plan().generations, IsEmpty());
}

TEST_F(RetentionTest, the_newest_versions_stay_and_what_is_young_and_what_a_generation_needs) {
  for (const char* version : {"1.1", "1.2", "1.4", "1.5"}) publish(version);
  publish("1.3", "2200-01-01T00:00:00Z");
  push("needs /nix/store/" + std::string(32, '2') + "-web");
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 30});
  const RetentionPlan now = plan();
  EXPECT_THAT(versions(now.builds), UnorderedElementsAre("1.1", "1.4"));
  ASSERT_TRUE(retention_.apply(now));
  EXPECT_THAT(versions(records_.builds("web")), ElementsAre("1.5", "1.3", "1.2"));
}

TEST_F(RetentionTest, of_no_days_nothing_is_young_not_even_what_came_this_second) {
  publish("1.1", "2026-01-01T00:00:00Z");
  publish("1.2", "2026-01-01T00:00:00Z");
  const auto second = [](int64_t after) {
    return std::chrono::system_clock::from_time_t(1767225600 + after);  // 2026-01-01T00:00:00Z
  };
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  EXPECT_THAT(versions(retention_.plan(std::nullopt, second(0)).builds), ElementsAre("1.1"));
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 1});
  EXPECT_THAT(retention_.plan(std::nullopt, second(86399)).builds, IsEmpty());
  EXPECT_THAT(versions(retention_.plan(std::nullopt, second(86400)).builds), ElementsAre("1.1"));
}

TEST_F(RetentionTest, a_version_goes_with_the_last_generation_that_needs_it) {
  publish("1.1");
  publish("1.2");
  push("needs /nix/store/" + std::string(32, '1') + "-web");
  push("needs nothing");
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 1, .days = 0});
  const RetentionPlan now = plan();
  EXPECT_THAT(generations(now), ElementsAre(1));
  EXPECT_THAT(versions(now.builds), ElementsAre("1.1"));
  ASSERT_TRUE(retention_.apply(now));
  EXPECT_FALSE(environments_.find("acme", "env", 1));
  EXPECT_EQ(environments_.find("acme", "env", {})->number, 2);
}

TEST_F(RetentionTest, yanked_versions_do_not_count_and_something_is_always_left) {
  publish("1.1");
  publish("1.2", "2026-01-01T00:00:00Z", "it breaks");
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  EXPECT_THAT(versions(plan().builds), ElementsAre("1.2"));
  records_.yank("web", "1.1", "it breaks, too");
  EXPECT_THAT(versions(plan().builds), ElementsAre("1.1"));
}

TEST_F(RetentionTest, an_owners_rule_goes_before_the_catalogs) {
  publish("1.1");
  publish("1.2");
  Holdings(*database_).put(Kind::package, "web", {.owner = "acme", .is_private = false, .since = "s"});
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  retention_.set_rule("acme", RetentionRule{.versions = 5, .generations = 0, .days = 0});
  EXPECT_THAT(plan().builds, IsEmpty());
  retention_.set_rule("acme", std::nullopt);
  EXPECT_THAT(versions(plan().builds), ElementsAre("1.1"));
  EXPECT_THAT(retention_.plan("beta").builds, IsEmpty());
}

TEST_F(RetentionTest, a_plan_counts_only_as_long_as_nothing_is_published) {
  publish("1.1");
  publish("1.2");
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  const RetentionPlan now = plan();
  database_->write([](Session& session) { RemovalMarks::require_none(session, 0, {}); });
  EXPECT_FALSE(retention_.apply(now));
  EXPECT_EQ(records_.builds("web").size(), 2u);
}

TEST_F(RetentionTest, a_plan_does_not_outlive_a_new_rule_nor_a_version_that_is_yanked) {
  for (const char* version : {"1.1", "1.2"}) publish(version);
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  const RetentionPlan of_old_rule = plan();
  ASSERT_THAT(versions(of_old_rule.builds), ElementsAre("1.1"));
  retention_.set_rule("", RetentionRule{.versions = 2, .generations = 0, .days = 0});
  EXPECT_FALSE(retention_.apply(of_old_rule));
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 0, .days = 0});
  const RetentionPlan before_yank = plan();
  records_.yank("web", "1.2", "it loses data");
  EXPECT_FALSE(retention_.apply(before_yank));
  EXPECT_THROW(records_.remove("web", {}, {}, before_yank.publications), LookAgain);
  EXPECT_THAT(versions(records_.builds("web")), ElementsAre("1.2", "1.1"));
}

TEST_F(RetentionTest, a_plan_says_why_something_goes) {
  for (const char* version : {"1.1", "1.2"}) publish(version);
  publish("1.3", "2026-01-01T00:00:00Z", "it is bad");
  push("a");
  push("b");
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 1, .days = 30});
  const RetentionPlan now = plan();
  std::map<std::string, std::string> why;
  for (const auto& one : now.builds) why[one.version] = one.why;
  EXPECT_EQ(why["1.1"], "older than the newest 1 and than 30 days");
  EXPECT_EQ(why["1.3"], "yanked");
  ASSERT_EQ(now.generations.size(), 1u);
  EXPECT_EQ(now.generations.front().why, "older than the newest 1 and than 30 days");
}

}  // namespace
}  // namespace flox::server
