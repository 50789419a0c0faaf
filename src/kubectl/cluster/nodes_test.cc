#include "kubectl/cluster/nodes.h"

#include <gtest/gtest.h>

namespace flox::kubectl {
namespace {

using Json = nlohmann::json;

Json pod(const char* name, const char* node, const Json& state, bool is_ending = false) {
  Json one{{"metadata", {{"name", name}}},
           {"spec", {{"nodeName", node}}},
           {"status", {{"containerStatuses", {{{"name", "floxd"}, {"state", state}}}}}}};
  if (is_ending) one["metadata"]["deletionTimestamp"] = "2026-11-29T23:10:43Z";
  return one;
}

TEST(NodesTest, EachSaysWhetherItsFloxdCanBeAsked) {
  const Json running{{"running", Json::object()}};
  const Json pods{{"items",
                   {pod("flox-node-a", "node-1", running),
                    pod("flox-node-b", "node-2", {{"waiting", {{"reason", "CrashLoopBackOff"}}}})}}};
  const Json nodes{
      {"items", {{{"metadata", {{"name", "node-3"}, {"labels", {{"flox.dev/runtime", "installed"}}}}}}}}};
  const auto found = flox_nodes(pods, nodes);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].pod, "flox-node-a");
  EXPECT_EQ(found[0].trouble, "");
  EXPECT_EQ(found[1].trouble, "floxd does not run: CrashLoopBackOff");
  EXPECT_TRUE(found[1].is_broken);
  EXPECT_FALSE(found[2].is_broken);
  EXPECT_NE(found[2].trouble.find("no pod of the DaemonSet"), std::string::npos);
}

TEST(NodesTest, WhileAnOldPodEndsTheNewOneCounts) {
  const Json running{{"running", Json::object()}};
  for (const bool is_old_first : {true, false}) {
    Json items = Json::array();
    items.push_back(is_old_first ? pod("old", "node-1", running, true) : pod("new", "node-1", running));
    items.push_back(is_old_first ? pod("new", "node-1", running) : pod("old", "node-1", running, true));
    const auto found = flox_nodes({{"items", items}}, nullptr);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].pod, "new");
  }
}

TEST(NodesTest, TheLastLineOfAnErrorIsSafeForATerminal) {
  EXPECT_EQ(last_line("first\nerror: \x1b[1mno\n\n"), "error: \xef\xbf\xbd[1mno");
  EXPECT_EQ(last_line("\n"), "");
}

}  // namespace
}  // namespace flox::kubectl
