#include "server/api/nodes.h"

#include <gtest/gtest.h>

#include "server/testing/api.h"

namespace flox::server {
namespace {

using nlohmann::json;

class NodeRoutesTest : public ApiCallTest {
 protected:
  NodeRoutesTest() {
    for (const char* owner : {"acme", "other"}) make_owner(owner);
    make_owner("closed", true);
    owners_ = token_of("acme", "read");
    runners_ = token_of("other", "read");
    closed_ = token_of("closed", "read");
    for (const char* name : {"acme/web", "closed/web"})
      ask("POST", std::string("/api/v1/environments/") + name, "secret",
          {{"manifest", "x"},
           {"lock", {{"lockfile-version", 1}, {"manifest", json::object()}, {"packages", json::array()}}}});
  }
  static json runs(const std::string& owner, const std::string& name, int64_t generation = 1) {
    return {{"owner", owner}, {"name", name}, {"generation", generation}, {"containers", 2}};
  }
  json report(const std::string& token, const json& environments, const std::string& node = "node-1") {
    return ask("POST", "/api/v1/nodes/" + node, token,
               {{"valid_seconds", 900}, {"environments", environments}});
  }
  json nodes(const std::string& token, const std::string& name = "acme/web") {
    return ask("GET", "/api/v1/environments/" + name + "/nodes", token);
  }

  std::string owners_, runners_, closed_;  // tokens
};

TEST_F(NodeRoutesTest, who_runs_a_node_sees_its_name_and_the_environments_owner_only_that_there_is_one) {
  const json answer = report(runners_, json::array({runs("acme", "web")}));
  EXPECT_EQ(answer.at("owner"), "other");
  const json seen = nodes(runners_).at("items");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].at("node"), "node-1");
  EXPECT_EQ(seen[0].at("containers"), 2);
  EXPECT_FALSE(nodes(runners_).contains("other_nodes"));
  EXPECT_TRUE(nodes(owners_).at("items").empty());
  EXPECT_EQ(nodes(owners_).at("other_nodes"), 1);
  EXPECT_EQ(nodes("secret").at("items").size(), 1U);
  const json stranger = nodes(closed_);
  EXPECT_TRUE(stranger.at("items").empty());
  EXPECT_FALSE(stranger.contains("other_nodes"));
  EXPECT_THROW(nodes(""), Refusal);
}

TEST_F(NodeRoutesTest, what_the_token_may_not_see_counts_as_what_is_not_there_and_the_answer_does_not_tell) {
  const json hidden = report(runners_, json::array({runs("closed", "web")})),
             missing = report(runners_, json::array({runs("closed", "nothing")}));
  EXPECT_EQ(hidden.size(), missing.size());
  EXPECT_EQ(nodes("secret", "closed/web").at("items").size(), 0U);
  report(closed_, json::array({runs("closed", "web"), runs("acme", "web", 2)}));
  EXPECT_EQ(nodes(closed_, "closed/web").at("items").size(), 1U);
  EXPECT_EQ(nodes("secret").at("items").size(), 0U);  // it has one generation
  EXPECT_THROW(nodes(runners_, "closed/web"), Error);
}

TEST_F(NodeRoutesTest, only_a_token_of_an_owner_is_a_nodes) {
  EXPECT_THROW(report("secret", json::array()), Refusal);
  EXPECT_THROW(report("", json::array()), Refusal);
}

TEST_F(NodeRoutesTest, a_report_is_bounded_and_names_are_names) {
  json many = json::array();
  for (int i = 1; i <= 256; ++i) many.push_back(runs("acme", "web", i));
  EXPECT_NO_THROW(report(owners_, many));
  many.push_back(runs("acme", "web", 257));
  EXPECT_THROW(report(owners_, many), Error);
  EXPECT_THROW(report(owners_, json::array({runs("acme", "web"), runs("acme", "web")})), Error);
  for (const char* name : {"..", "a b", "<b>", "a\nb"})
    EXPECT_THROW(report(owners_, json::array(), name), Error) << name;
  EXPECT_THROW(report(owners_, json::array(), std::string(254, 'a')), Error);
  EXPECT_THROW(report(owners_, json::array({runs("../acme", "web")})), Error);
  EXPECT_THROW(report(owners_, json::array({runs("acme", "web", 0)})), Error);
  EXPECT_THROW(
      ask("POST", "/api/v1/nodes/a", owners_, {{"valid_seconds", 86'400}, {"environments", json::array()}}),
      Error);
  EXPECT_THROW(ask("POST", "/api/v1/nodes/a", owners_,
                   {{"valid_seconds", 900}, {"environments", json::array()}, {"x", 1}}),
               Error);
}

}  // namespace
}  // namespace flox::server
