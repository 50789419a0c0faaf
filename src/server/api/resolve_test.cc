#include "server/api/resolve.h"

#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

TEST_F(RecordsTest, the_newest_version_that_satisfies_is_resolved) {
  for (const char* version : {"1.9", "1.10", "2.0"}) records_.add(build("web", version));
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "2.0");
  EXPECT_EQ(resolve_one("web", "^1")["page"]["packages"][0]["version"], "1.10");
}

TEST_F(RecordsTest, the_best_variant_that_the_cpu_can_run_is_resolved) {
  records_.add(build("web", "1.0", "", '0'));
  records_.add(build("web", "1.0", "x86-64-v3", '3'));
  records_.add(build("web", "1.0", "x86-64-v4", '4'));
  auto variant = [&](const std::string& level) {
    return resolve_one("web", "", level)["page"]["packages"][0].value("variant", "none");
  };
  EXPECT_EQ(variant("x86-64-v4"), "x86-64-v4");
  EXPECT_EQ(variant("x86-64-v3"), "x86-64-v3");
  EXPECT_EQ(variant("x86-64-v2"), "none");
}

TEST_F(RecordsTest, a_yanked_version_is_resolved_for_who_names_it_and_the_reason_stands_beside_it) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1", "", '1'));
  records_.yank("web", "1.1", "it leaks");
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "1.0");
  const auto named = resolve_one("web", "1.1");
  EXPECT_EQ(named["page"]["packages"][0]["version"], "1.1");
  EXPECT_TRUE(named["page"]["complete"]);
  EXPECT_EQ(named["messages"][0]["type"], "yanked");
  EXPECT_EQ(named["messages"][0]["message"], "it leaks");
  records_.yank("web", "1.0", "it leaks, too");
  const auto none = resolve_one("web", "");
  EXPECT_FALSE(none["page"]["complete"]);
  EXPECT_EQ(none["messages"][0]["type"], "version_yanked");
  EXPECT_EQ(none["messages"][0]["message"], "every version was yanked: 1.1 (it leaks), 1.0 (it leaks, too)");
  EXPECT_EQ(resolve_one("web", ">=1")["messages"][0]["message"],
            "every version that satisfies '>=1' was yanked: 1.1 (it leaks), 1.0 (it leaks, too)");
  records_.yank("web", "1.1", std::nullopt);
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "1.1");
  EXPECT_EQ(search(records_, "web")[0].version, "1.1");
  EXPECT_THROW(records_.yank("web", "7", "x"), Error);
}

TEST_F(RecordsTest, what_cannot_be_resolved_is_explained) {
  records_.add(build("ticket-processor", "1.0"));
  auto unknown = resolve_one("ticket-procesor", "");
  EXPECT_FALSE(unknown["page"]["complete"]);
  EXPECT_THAT(unknown["messages"][0]["context"]["advice"].get<std::string>(),
              HasSubstr("Did you mean ticket-processor?"));
  EXPECT_THAT(resolve_one("ticket-processor", "3")["messages"][0]["context"]["advice"].get<std::string>(),
              HasSubstr("1.0"));
}

TEST_F(RecordsTest,
       a_version_that_leads_up_to_a_release_is_taken_only_if_it_is_asked_for_or_nothing_else_will_do) {
  records_.add(build("web", "1.0"));
  records_.add(build("web", "1.1-rc1"));
  records_.add(build("next", "0.1-rc1"));
  EXPECT_EQ(resolve_one("web", "")["page"]["packages"][0]["version"], "1.0");
  EXPECT_EQ(resolve_one("web", "1.1-rc1")["page"]["packages"][0]["version"], "1.1-rc1");
  EXPECT_EQ(resolve_one("next", "")["page"]["packages"][0]["version"], "0.1-rc1");
  EXPECT_EQ(search(records_, "web")[0].version, "1.0");
  EXPECT_EQ(search(records_, "next")[0].version, "0.1-rc1");
}

TEST_F(RecordsTest, a_build_that_the_cpu_cannot_run_is_told_from_a_version_that_is_not_there) {
  records_.add(build("web", "1.0", "x86-64-v4"));
  EXPECT_EQ(resolve_one("web", "1.0", "x86-64-v2")["messages"][0]["type"], "constraints_too_tight");
  EXPECT_EQ(resolve_one("web", "2.0", "x86-64-v2")["messages"][0]["type"], "version_not_found");
}

TEST_F(RecordsTest, a_locked_package_has_every_member_that_flox_requires) {
  records_.add(build("web", "1.0"));
  auto package = resolve_one("web", "")["page"]["packages"][0];
  for (const char* key :
       {"attr_path", "derivation", "install_id", "locked_url", "name", "pname", "rev", "rev_count",
        "rev_date", "scrape_date", "version", "outputs", "system", "group", "priority"})
    EXPECT_TRUE(package.contains(key) && !package[key].is_null()) << key;
}

TEST_F(RecordsTest, a_malformed_request_is_refused_by_the_member_at_fault) {
  auto web = [](nlohmann::json members) {
    nlohmann::json descriptor = {{"attr_path", "web"}, {"systems", {"x86_64-linux"}}};
    descriptor.update(members);
    return nlohmann::json{{"items", {{{"descriptors", {descriptor}}}}}};
  };
  EXPECT_NO_THROW(resolve(records_, web(nlohmann::json::object()), "http://c", owned_));
  using Case = std::pair<nlohmann::json, const char*>;
  for (const auto& [request, culprit] : {Case{nlohmann::json::array(), "items"},
                                         {{{"items", 1}}, "items"},
                                         {{{"items", {1}}}, "name"},
                                         {{{"items", {nlohmann::json::object()}}}, "descriptors"},
                                         {web({{"attr_path", 1}}), "attr_path"},
                                         {web({{"version", 3}}), "version"},
                                         {web({{"systems", "x86_64-linux"}}), "systems"},
                                         {web({{"cpu_level", true}}), "cpu_level"},
                                         {web({{"allow_pre_releases", "yes"}}), "allow_pre_releases"}}) {
    try {
      resolve(records_, request, "http://c", owned_);
      FAIL() << request;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input) << request;
      EXPECT_THAT(error.what(), HasSubstr(culprit)) << request;
    }
  }
}

TEST_F(RecordsTest, a_request_and_its_answer_have_limits) {
  for (int i = 0; i < 100; ++i) records_.add(build("web", fmt::format("1.{}", i)));
  const auto asking = [](nlohmann::json systems, size_t descriptors = 1, const std::string& name = "web") {
    const nlohmann::json one = {{"attr_path", name}, {"systems", std::move(systems)}, {"version", "9"}};
    return nlohmann::json{
        {"items", {{{"name", "g"}, {"descriptors", std::vector<nlohmann::json>(descriptors, one)}}}}};
  };
  const auto refusal = [&](const nlohmann::json& request) -> std::string {
    try {
      resolve(records_, request, "http://c", owned_);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal(asking({"x86_64-linux", "aarch64-darwin"}, 1000)), "");
  EXPECT_THAT(refusal(asking(std::vector<std::string>(17, "x86_64-linux"))), HasSubstr("'systems'"));
  for (const char* system : {"", "linux", "-", "x-", "-x", "x86_64-linux\n", "X-Y", "../x"})
    EXPECT_THAT(refusal(asking({system})), HasSubstr("'systems'")) << system;
  EXPECT_THAT(refusal(asking({"x86_64-linux"}, 1001)), HasSubstr("'descriptors'"));
  EXPECT_THAT(refusal(asking({"x86_64-linux"}, 1, std::string(300, 'w'))), HasSubstr("'attr_path'"));
  std::vector<std::string> systems;
  for (int i = 0; i < 16; ++i) systems.push_back(fmt::format("x{}-linux", i));
  EXPECT_THAT(refusal(asking(systems, 1000)), HasSubstr("the answer would be over"));
  EXPECT_THAT(refusal({{"items", std::vector<int>(101)}}), HasSubstr("'items'"));
  // Each condition is compared with each version: what that comes to has a limit, too.
  auto costly = asking({"x86_64-linux"}, 1000);
  const auto conditions = [](size_t count) {
    return fmt::format("{}", fmt::join(std::vector<std::string>(count, "<11111"), ","));
  };
  for (auto& one : costly["items"][0]["descriptors"]) one["version"] = conditions(16);
  EXPECT_THAT(refusal(costly), HasSubstr("too many versions"));
  costly["items"][0]["descriptors"][0]["version"] = conditions(17);
  EXPECT_THAT(refusal(costly), HasSubstr("more than 16 conditions"));
}

}  // namespace
}  // namespace flox::server
