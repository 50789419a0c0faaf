#include "server/records/facets.h"

#include <gmock/gmock.h>

#include "server/records/package_index.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::ElementsAre;

class FacetsTest : public RecordsTest {
 protected:
  FacetsTest() {
    add("a", "MIT", {"x86_64-linux"});
    add("b", "Zlib", {"x86_64-linux", "aarch64-linux"});
    add("c", "MIT", {"aarch64-linux"});
    own({"a", "b"});
  }
  void add(const std::string& name, const std::string& license, const std::vector<std::string>& systems) {
    for (const std::string& system : systems) {
      catalog::PackageBuild made = build(name, "1.0");
      made.system = system;
      made.license = license;
      records_.add(made);
    }
  }
  // As what acme signs; the index is made anew.
  void own(const std::vector<std::string>& names) {
    database_->write([&](Session& session) {
      for (const std::string& name : names) {
        session.run("update builds set owner = 'acme' where name = $1", {name});
        index_package(session, name);
      }
    });
  }
  Facets facets(const Filter& filter, const std::set<std::string>& hidden = {}, size_t most = 10,
                const std::string& term = "") {
    return records_.facets(term, filter, hidden, most);
  }
  std::vector<std::string> found(const Filter& filter, const std::set<std::string>& hidden = {}) {
    std::vector<std::string> names;
    for (const auto& one : records_.search("", filter, hidden, {}).builds) names.push_back(one.name);
    return names;
  }
  static std::string text(const std::vector<FacetValue>& values) {
    std::string result;
    for (const auto& [value, count] : values) result += value + "=" + std::to_string(count) + " ";
    return result;
  }
};

TEST_F(FacetsTest, count_what_the_other_choices_leave) {
  const Facets facets_of_acme = facets({.system = {}, .owner = "acme", .license = {}});
  EXPECT_EQ(text(facets_of_acme.systems), "x86_64-linux=2 aarch64-linux=1 ");
  EXPECT_EQ(text(facets_of_acme.owners), "acme=2 ");
  EXPECT_EQ(text(facets_of_acme.licenses), "MIT=1 Zlib=1 ");
  const Facets for_arm = facets({.system = "aarch64-linux", .owner = {}, .license = "MIT"});
  EXPECT_EQ(text(for_arm.systems), "aarch64-linux=1 x86_64-linux=1 ");
  EXPECT_EQ(text(for_arm.owners), "");
  EXPECT_EQ(text(for_arm.licenses), "MIT=1 Zlib=1 ");
}

TEST_F(FacetsTest, are_of_what_the_search_finds) {
  EXPECT_EQ(text(facets({}, {}, 10, "About A").licenses), "MIT=1 ");
  EXPECT_EQ(text(facets({}, {}, 10, "about").licenses), "MIT=2 Zlib=1 ");
  EXPECT_EQ(text(facets({}, {}, 10, "%").licenses), "");
}

TEST_F(FacetsTest, count_nothing_that_is_hidden) {
  const Facets all = facets({}, {"b", "nothing"});
  EXPECT_EQ(text(all.systems), "aarch64-linux=1 x86_64-linux=1 ");
  EXPECT_EQ(text(all.owners), "acme=1 ");
  EXPECT_EQ(text(all.licenses), "MIT=2 ");
  // One that the search does not find has not been counted.
  EXPECT_EQ(text(facets({}, {"b"}, 10, "about c").licenses), "MIT=1 ");
  EXPECT_EQ(text(facets({.system = "x86_64-linux", .owner = {}, .license = {}}, {"a"}).owners), "acme=1 ");
}

TEST_F(FacetsTest, keep_a_choice_that_nothing_has_so_that_it_can_be_taken_back) {
  EXPECT_EQ(text(facets({.system = {}, .owner = "nobody", .license = {}}).owners), "nobody=0 acme=2 ");
}

TEST_F(FacetsTest, are_bounded_and_keep_the_choice) {
  const Facets one = facets({.system = {}, .owner = {}, .license = "Zlib"}, {}, 1);
  EXPECT_EQ(text(one.licenses), "Zlib=1 ");
  EXPECT_EQ(one.systems.size(), 1U);
}

TEST_F(FacetsTest, a_filter_admits_what_has_all) {
  EXPECT_THAT(found({.system = "aarch64-linux", .owner = "acme", .license = "Zlib"}), ElementsAre("b"));
  EXPECT_THAT(found({.system = "aarch64-linux", .owner = {}, .license = {}}), ElementsAre("b", "c"));
  EXPECT_THAT(found({.system = {}, .owner = {}, .license = "MIT"}), ElementsAre("a", "c"));
  EXPECT_THAT(found({.system = {}, .owner = "acme", .license = {}}, {"a"}), ElementsAre("b"));
}

TEST_F(FacetsTest, follow_the_newest_build) {
  catalog::PackageBuild newer = build("c", "2.0");
  newer.license = "ISC";
  records_.add(newer);
  EXPECT_EQ(text(facets({}).licenses), "ISC=1 MIT=1 Zlib=1 ");
  records_.yank("c", "2.0", "it loses data", {});
  EXPECT_EQ(text(facets({}).licenses), "MIT=2 Zlib=1 ");
}

}  // namespace
}  // namespace flox::server
