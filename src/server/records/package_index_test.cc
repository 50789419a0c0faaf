#include "server/records/package_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "server/records/schema.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::ElementsAre;

class PackageIndexTest : public RecordsTest {
 protected:
  void add(const std::string& name, const std::string& version, const std::string& description,
           const std::string& system = "x86_64-linux") {
    catalog::PackageBuild made = build(name, version);
    made.system = system;
    made.description = description;
    records_.add(made);
  }
  // "NAME VERSION", of a part.
  std::vector<std::string> found(const std::string& term, const std::string& system = "",
                                 const std::set<std::string>& hidden = {}, size_t first = 0,
                                 size_t most = 100) {
    std::vector<std::string> names;
    const FoundPackages part = records_.search(term, {.system = system, .owner = {}, .license = {}}, hidden,
                                               {.after = {}, .skip = first, .most = most});
    total_ = part.total;
    for (const auto& one : part.builds) names.push_back(one.name + " " + one.version);
    return names;
  }
  size_t total_ = 0;
};

TEST_F(PackageIndexTest, has_the_newest_build_for_each_system_and_for_any) {
  add("web", "1.0", "a server", "aarch64-linux");
  add("web", "1.1", "a server");
  add("web", "1.10", "a server");
  add("web", "2.0-rc1", "a server");
  EXPECT_THAT(found("server"), ElementsAre("web 1.10"));
  EXPECT_THAT(found("server", "x86_64-linux"), ElementsAre("web 1.10"));
  EXPECT_THAT(found("server", "aarch64-linux"), ElementsAre("web 1.0"));
  EXPECT_THAT(found("server", "riscv64-linux"), ElementsAre());
  EXPECT_THAT(*records_.names(), ElementsAre("web"));
}

TEST_F(PackageIndexTest, finds_a_package_by_what_its_newest_build_says_of_it) {
  add("web", "1.0", "An old SERVER");
  add("web", "1.1", "a proxy, 100% new");
  EXPECT_THAT(found("server"), ElementsAre());
  EXPECT_THAT(found("PROXY"), ElementsAre("web 1.1"));
  EXPECT_THAT(found("0% n"), ElementsAre("web 1.1"));
  EXPECT_THAT(found("0%n"), ElementsAre());
  EXPECT_THAT(found("w_b"), ElementsAre());
  EXPECT_THAT(found("!"), ElementsAre());
}

TEST_F(PackageIndexTest, goes_on_after_a_name_and_says_whether_more_follow) {
  for (const char* name : {"a", "b", "c"}) add(name, "1.0", "a server");
  FoundPackages part = records_.search("server", Filter(), {}, {.after = {}, .skip = 0, .most = 2});
  EXPECT_EQ(part.builds.back().name, "b");
  EXPECT_TRUE(part.has_more);
  part = records_.search("server", Filter(), {}, {.after = "b", .skip = 0, .most = 2});
  ASSERT_EQ(part.builds.size(), 1U);
  EXPECT_EQ(part.builds.front().name, "c");
  EXPECT_FALSE(part.has_more);
  EXPECT_EQ(part.total, 3U);
}

TEST_F(PackageIndexTest, takes_a_yanked_build_only_if_there_is_no_other) {
  add("web", "1.0", "a server");
  add("web", "1.1", "a server");
  records_.yank("web", "1.1", "it loses data", {});
  EXPECT_THAT(found("server"), ElementsAre("web 1.0"));
  records_.yank("web", "1.0", "it, too", {});
  EXPECT_THAT(found("server"), ElementsAre("web 1.1"));
  records_.yank("web", "1.0", std::nullopt, {});
  EXPECT_THAT(found("server"), ElementsAre("web 1.0"));
}

TEST_F(PackageIndexTest, gives_a_part_of_what_it_finds_without_what_is_hidden) {
  for (const char* name : {"a", "b", "c", "d", "e"}) add(name, "1", "letter");
  EXPECT_THAT(found("letter", "", {}, 1, 2), ElementsAre("b 1", "c 1"));
  EXPECT_EQ(total_, 5u);
  EXPECT_THAT(found("letter", "", {"b", "d"}, 1, 2), ElementsAre("c 1", "e 1"));
  EXPECT_EQ(total_, 3u);
  EXPECT_THAT(found("letter", "", {}, 5, 2), ElementsAre());
  EXPECT_EQ(total_, 5u);
  EXPECT_THAT(found(""), ElementsAre("a 1", "b 1", "c 1", "d 1", "e 1"));
}

TEST_F(PackageIndexTest, is_made_from_the_builds_of_a_database_that_had_none) {
  const TempDir dir;
  const TestDatabase other(dir.path());
  const auto database = other.open_empty();
  migrate(*database, catalog_schema().first(6));
  catalog::PackageBuild signed_one = build("web", "1.0");
  signed_one.owner = "acme";
  // As that release wrote them. Of a package that somebody signs, what is signed counts.
  for (const auto& one : {signed_one, build("web", "2.0"), build("other", "1.0")}) {
    const std::string record = one.to_json().dump();
    database->write([&](Session& session) {
      session.run("insert into builds (name, version, system, variant, record) values ($1, $2, $3, '', $4)",
                  {one.name, one.version, one.system, record});
    });
  }
  migrate(*database, catalog_schema());
  const Records records(*database);
  const auto found = search(records, "about");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].name, "other");
  EXPECT_EQ(found[1].version, "1.0");
  EXPECT_EQ(records.owner_of("web"), "acme");
  EXPECT_EQ(records.recorded("web").size(), 1u);
  EXPECT_THAT(*records.names(), ElementsAre("other", "web"));
}

TEST_F(PackageIndexTest, is_as_it_was_after_a_publication_that_is_refused) {
  add("web", "1.0", "a server");
  EXPECT_THROW(records_.add(build("web", "1.0", "", '1')), Error);
  EXPECT_THAT(found("server"), ElementsAre("web 1.0"));
}

}  // namespace
}  // namespace flox::server
