#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "server/cache_files.h"
#include "server/records.h"
#include "server/resolve.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

catalog::PackageBuild build(std::string name, std::string version, std::string variant = "", char digit = '0') {
  catalog::PackageBuild made{.name = name, .version = version, .system = "x86_64-linux", .variant = variant, .description = "About " + name};
  made.outputs.emplace("out", nix::StorePath::from_base_name(std::string(32, digit) + "-" + name));
  return made;
}

class RecordsTest : public testing::Test {
 protected:
  nlohmann::json resolve_one(std::string name, std::string version, std::string level = "x86-64-v2") {
    nlohmann::json wanted = {{"install_id", "i"}, {"attr_path", name}, {"version", version}, {"systems", {"x86_64-linux"}}, {"cpu_level", level}};
    return resolve(records_, {{"items", {{{"name", "toplevel"}, {"descriptors", {wanted}}}}}}, "http://c")["items"][0];
  }
  TempDir dir_;
  Records records_{dir_.path() / "db"};
};

TEST_F(RecordsTest, a_published_version_never_changes) {
  EXPECT_TRUE(records_.add(build("web", "1.0")));
  EXPECT_FALSE(records_.add(build("web", "1.0")));
  EXPECT_THROW(records_.add(build("web", "1.0", "", '1')), Error);
  EXPECT_EQ(records_.count(), 1);
}

TEST_F(RecordsTest, the_newest_version_that_satisfies_is_resolved) {
  for (const char* version : {"1.9", "1.10", "2.0"}) records_.add(build("web", version));
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "2.0");
  EXPECT_EQ(resolve_one("web", "^1")["page"]["packages"][0]["version"], "1.10");
}

TEST_F(RecordsTest, the_best_variant_that_the_cpu_can_run_is_resolved) {
  records_.add(build("web", "1.0", "", '0'));
  records_.add(build("web", "1.0", "x86-64-v3", '3'));
  records_.add(build("web", "1.0", "x86-64-v4", '4'));
  auto variant = [&](const std::string& level) { return resolve_one("web", "", level)["page"]["packages"][0].value("variant", "none"); };
  EXPECT_EQ(variant("x86-64-v4"), "x86-64-v4");
  EXPECT_EQ(variant("x86-64-v3"), "x86-64-v3");
  EXPECT_EQ(variant("x86-64-v2"), "none");
}

TEST_F(RecordsTest, what_cannot_be_resolved_is_explained) {
  records_.add(build("ticket-processor", "1.0"));
  auto unknown = resolve_one("ticket-procesor", "");
  EXPECT_FALSE(unknown["page"]["complete"]);
  EXPECT_THAT(unknown["messages"][0]["context"]["advice"].get<std::string>(), HasSubstr("did you mean ticket-processor?"));
  EXPECT_THAT(resolve_one("ticket-processor", "3")["messages"][0]["context"]["advice"].get<std::string>(), HasSubstr("1.0"));
}

TEST_F(RecordsTest, search_looks_into_names_and_descriptions_and_takes_the_term_as_it_is) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1"));
  records_.add(build("other", "1.0"));
  ASSERT_EQ(records_.search("WE").size(), 1u);
  EXPECT_EQ(records_.search("WE")[0].version, "1.1");
  EXPECT_EQ(records_.search("about").size(), 2u);
  EXPECT_TRUE(records_.search("%").empty());
  EXPECT_TRUE(records_.search("' or 1=1 --").empty());
}

TEST(CacheFiles, find_only_names_that_a_cache_has) {
  TempDir dir;
  CacheFiles cache(dir.path() / "cache");
  write_file(dir.path() / "secret", "x");
  EXPECT_TRUE(cache.find("nix-cache-info"));
  for (const char* name : {"../secret", "nar/../../secret", "", "uploads", "/etc/passwd", "00000000000000000000000000000000.narinfo"})
    EXPECT_FALSE(cache.find(name)) << name;
}

}  // namespace
}  // namespace flox::server
