#include "server/records/node_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "server/records/tokens.h"
#include "server/testing/records.h"

namespace flox::server {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NodeReportsTest : public RecordsTest {
 protected:
  std::string token_of(const std::string& owner, int64_t expires_at = 0) {
    Token token{.user = "", .owner = owner, .role = Role::read, .created_at = 1, .expires_at = expires_at};
    tokens_.create(token);
    return token.id;
  }
  bool report(const std::string& node, const std::string& token, std::vector<ReportedEnvironment> runs,
              int64_t now = 1'000, const std::string& reporter = "acme") {
    return nodes_.put({.reporter = reporter,
                       .node = node,
                       .token = token,
                       .heard_at = now,
                       .expires_at = now + 900,
                       .environments = std::move(runs)});
  }
  static ReportedEnvironment web(int64_t generation = 1, int64_t containers = 1) {
    return {.owner = "acme", .name = "web", .generation = generation, .containers = containers};
  }
  // "REPORTER/NODE:GENERATION" of those that run acme/web then.
  std::vector<std::string> seen(int64_t now = 1'000, std::optional<std::set<std::string>> reporters = {}) {
    const NodeReports::Query query{
        .owner = "acme", .name = "web", .now = now, .reporters = std::move(reporters)};
    std::vector<std::string> all;
    std::optional<SeenOnNode> after;
    for (;;) {  // two on a page
      const auto found = nodes_.find(query, 2, after);
      for (const auto& one : found)
        all.push_back(fmt::format("{}/{}:{}", one.reporter, one.node, one.generation));
      if (found.size() < 2) break;
      after = found.back();
    }
    return all;
  }

  TokenRecords tokens_{*database_};
  NodeReports nodes_{*database_, {.nodes = 3, .environments = 5}};
};

TEST_F(NodeReportsTest,
       a_report_replaces_what_the_node_said_before_and_says_whether_that_was_something_else) {
  const std::string token = token_of("acme");
  EXPECT_TRUE(report("a", token, {web(1), web(2)}));
  EXPECT_FALSE(report("a", token, {web(2), web(1)}, 1'100));
  EXPECT_THAT(seen(), ElementsAre("acme/a:1", "acme/a:2"));
  EXPECT_TRUE(report("a", token, {web(2, 7)}, 1'200));
  EXPECT_THAT(seen(1'200), ElementsAre("acme/a:2"));
  EXPECT_TRUE(report("a", token, {}, 1'300));
  EXPECT_THAT(seen(1'300), IsEmpty());
}

TEST_F(NodeReportsTest, a_node_that_has_gone_silent_is_seen_no_more_and_leaves_room_for_others) {
  const std::string token = token_of("acme");
  for (const char* node : {"a", "b", "c"}) report(node, token, {web()});
  EXPECT_THROW(report("d", token, {web()}), Error);
  EXPECT_THAT(seen(1'899), ElementsAre("acme/a:1", "acme/b:1", "acme/c:1"));
  report("a", token, {web()}, 1'500);
  EXPECT_THAT(seen(1'900), ElementsAre("acme/a:1"));
  EXPECT_TRUE(report("d", token, {web()}, 1'900));
  EXPECT_THAT(seen(1'900), ElementsAre("acme/a:1", "acme/d:1"));
}

TEST_F(NodeReportsTest, one_owners_nodes_report_so_many_environments_and_no_more) {
  const std::string token = token_of("acme");
  report("a", token, {web(1), web(2), web(3), web(4)});
  EXPECT_THROW(report("b", token, {web(1), web(2)}), Error);
  EXPECT_TRUE(report("a", token, {web(1), web(2), web(3), web(4), web(5)}));
  EXPECT_TRUE(report("b", token_of("other"), {web(1), web(2)}, 1'000, "other"));
}

TEST_F(NodeReportsTest,
       another_token_says_nothing_for_a_node_until_its_report_has_expired_or_its_token_is_revoked) {
  const std::string its = token_of("acme"), stolen = token_of("acme");
  report("a", its, {web(1)});
  EXPECT_THROW(report("a", stolen, {web(2)}), Error);
  EXPECT_THAT(seen(), ElementsAre("acme/a:1"));
  EXPECT_TRUE(report("a", stolen, {web(2)}, 1'900));
  EXPECT_THROW(report("a", its, {web(1)}, 2'000), Error);
  tokens_.revoke(stolen, 2'000);
  EXPECT_THAT(seen(2'000), IsEmpty());  // what it said went with it
  EXPECT_TRUE(report("a", its, {web(1)}, 2'000));
}

TEST_F(NodeReportsTest, what_a_token_said_ends_when_it_expires) {
  report("a", token_of("acme", 1'500), {web()});
  EXPECT_THAT(seen(1'499), ElementsAre("acme/a:1"));
  EXPECT_THAT(seen(1'500), IsEmpty());
}

TEST_F(NodeReportsTest, nodes_are_found_and_counted_by_who_runs_them) {
  report("a", token_of("acme"), {web(1), web(2)});
  report("a", token_of("other"), {web(2)}, 1'000, "other");
  report("b", token_of("third"), {{.owner = "acme", .name = "db", .generation = 1, .containers = 1}}, 1'000,
         "third");
  EXPECT_THAT(seen(), ElementsAre("acme/a:1", "acme/a:2", "other/a:2"));
  EXPECT_THAT(seen(1'000, std::set<std::string>{"other", "third"}), ElementsAre("other/a:2"));
  EXPECT_THAT(seen(1'000, std::set<std::string>{}), IsEmpty());
  NodeReports::Query query{.owner = "acme", .name = "web", .now = 1'000};
  EXPECT_EQ(nodes_.count(query), 2);
  query.reporters = {"acme"};
  EXPECT_EQ(nodes_.count(query), 1);
}

}  // namespace
}  // namespace flox::server
