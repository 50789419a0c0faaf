#include "server/records/mirrored_owners.h"

#include <gmock/gmock.h>

#include "server/records/environments.h"
#include "server/records/holdings.h"
#include "server/records/retention.h"
#include "server/records/trust_records.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Owner acme is mirrored: package web in two versions, environment env in three generations.
class MirroredOwnersTest : public RecordsTest {
 protected:
  MirroredOwnersTest() {
    MirroredOwner mirrored = mirrored_acme();
    MirroredPackage package{.file = file("packages/web", 4), .builds = {owned("1.0"), owned("1.1")}};
    mirrored.packages.push_back(package);
    for (int64_t number = 1; number <= 3; ++number)
      mirrored.generations.push_back(
          {.file = file("environments/env", number), .environment = "env", .generation = generation(number)});
    write_mirrored(*database_, mirrored);
  }

  static StoredNameFile file(const std::string& name, int64_t version) {
    return {.owner = "acme", .name = name, .version = version, .document = "signed"};
  }
  static catalog::PackageBuild owned(const std::string& version) {
    catalog::PackageBuild made = build("web", version, "", version.back());
    made.owner = "acme";
    made.published_at = "2026-01-01T00:00:00Z";
    return made;
  }
  static Generation generation(int64_t number) {
    Generation made{.number = number,
                    .manifest = std::to_string(number),
                    .lock = {},
                    .pushed_at = "2026-01-01T00:00:00Z"};
    made.lock.manifest = nlohmann::json::object();
    return made;
  }
  static SignedBuilds listing(const std::vector<catalog::PackageBuild>& builds) {
    SignedBuilds result{.file = file("packages/web", 5), .listed = {}};
    for (const auto& one : builds) {
      const auto record = catalog::record_of(one);
      result.listed[record.target_path()] = {.sha256 = record.to_target().sha256, .yanked = {}};
    }
    return result;
  }
  void refused(const std::function<void()>& write) {
    const auto before = everything();
    try {
      write();
      ADD_FAILURE() << "it was written";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::conflict);
      EXPECT_STREQ(error.what(), "acme is mirrored here from another catalog");
    }
    EXPECT_EQ(everything(), before);
  }
  std::vector<std::string> everything() {
    std::vector<std::string> rows;
    for (const char* table :
         {"select record from builds order by record",
          "select owner || name || cast(number as text) from environments order by 1",
          "select owner || name || cast(version as text) || document from name_files order by 1",
          "select owner || role || cast(version as text) || document from metadata order by 1",
          "select kind || name || owner from holdings order by 1"})
      for (auto& [row] : database_->rows<std::string>(table)) rows.push_back(std::move(row));
    return rows;
  }

  EnvironmentRecords environments_{*database_};
  TrustRecords trust_{*database_};
  Retention retention_{*database_};
};

TEST_F(MirroredOwnersTest, no_version_is_published_yanked_or_removed_signed_or_not) {
  refused([&] { records_.add(owned("1.2"), listing({owned("1.0"), owned("1.1"), owned("1.2")})); });
  refused([&] { records_.add(build("web", "1.2")); });
  refused([&] { records_.yank("web", "1.1", "it is bad", listing({owned("1.0"), owned("1.1")})); });
  refused([&] { records_.yank("web", "1.1", "it is bad"); });
  refused([&] {
    records_.remove("web", {catalog::record_of(owned("1.0")).target_path()}, listing({owned("1.1")}),
                    retention_.plan({}).publications);
  });
  refused([&] { database_->write([&](Session& session) { Records::disown(session, "web"); }); });
}

TEST_F(MirroredOwnersTest, no_generation_is_pushed_signed_or_not) {
  refused([&] { environments_.push("acme", "env", generation(4), file("environments/env", 4)); });
  refused([&] { environments_.push("acme", "env", generation(4)); });
  refused([&] { environments_.push("acme", "another", generation(1)); });
}

TEST_F(MirroredOwnersTest, no_metadata_is_put_and_no_name_claimed) {
  refused([&] { trust_.put_root("acme", 2, "root"); });
  refused([&] { trust_.put_targets("acme", 2, "targets"); });
  refused([&] { trust_.put_timestamp("acme", {.version = 2, .document = "timestamp"}); });
  refused(
      [&] { claim(*database_, Kind::package, "new", {.owner = "acme", .is_private = false, .since = ""}); });
}

TEST_F(MirroredOwnersTest, retention_lets_older_generations_go_and_no_version) {
  retention_.set_rule("", RetentionRule{.versions = 1, .generations = 1, .days = 0});
  const RetentionPlan plan = retention_.plan(std::nullopt);
  EXPECT_THAT(plan.builds, IsEmpty());
  EXPECT_THAT(plan.signed_builds, IsEmpty());
  EXPECT_EQ(plan.generations.size(), 2);
  EXPECT_TRUE(retention_.apply(plan));
  EXPECT_THAT(environments_.find("acme", "env", std::nullopt)->number, 3);
  EXPECT_EQ(NameFiles(*database_).latest("acme").size(), 2);
}

// A plan from before the owner was mirrored, of builds that nobody had signed then.
TEST_F(MirroredOwnersTest, an_older_plan_of_retention_removes_nothing_that_is_signed) {
  RetentionPlan plan;
  plan.publications = retention_.plan(std::nullopt).publications;
  plan.builds.push_back({owned("1.0"), "older than the newest 1"});
  EXPECT_TRUE(retention_.apply(plan));
  EXPECT_EQ(records_.builds("web").size(), 2);
}

TEST_F(MirroredOwnersTest, others_publish_beside_it) {
  EXPECT_TRUE(records_.add(build("other", "1.0")));
  EXPECT_EQ(environments_.push("plain", "env", generation(1)).number, 1);
  database_->read([&](Session& session) { EXPECT_THAT(mirrored_owners(session), ElementsAre("acme")); });
}

}  // namespace
}  // namespace flox::server
