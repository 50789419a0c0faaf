#include "kubectl/pod/pod_state.h"

#include <gtest/gtest.h>

namespace flox::kubectl {
namespace {

using Json = nlohmann::json;

TEST(PodStateTest, WhatIsOfAnotherTypeIsLeftEmpty) {
  const PodState pod = read_pod({{"metadata", "web"},
                                 {"spec", {{"nodeName", 3}}},
                                 {"status", {{"containerStatuses", {1, nullptr, {{"name", {}}}}}}}});
  EXPECT_EQ(pod.name, "");
  EXPECT_EQ(pod.node, "");
  EXPECT_EQ(pod.containers.size(), 3U);
  EXPECT_TRUE(read_events({{"items", {{"a", 1}}}}).empty());
  EXPECT_EQ(read_starts({{"starts", {{{"asked_at_ms", UINT64_MAX}}}}}).at(0).asked_at, INT64_MAX);
}

TEST(PodStateTest, InitContainersComeFirstAndSidecarsDoNotEnd) {
  const Json waiting{{"waiting", {{"reason", "PodInitializing"}}}};
  const PodState pod = read_pod(
      {{"spec",
        {{"initContainers", {{{"name", "first"}}, {{"name", "beside"}, {"restartPolicy", "Always"}}}}}},
       {"status",
        {{"initContainerStatuses",
          {{{"name", "first"}, {"state", waiting}}, {{"name", "beside"}, {"state", waiting}}}},
         {"containerStatuses",
          {{{"name", "main"}, {"containerID", "containerd://abc"}, {"state", waiting}}}}}}});
  ASSERT_EQ(pod.containers.size(), 3U);
  EXPECT_TRUE(pod.containers[0].is_init);
  EXPECT_FALSE(pod.containers[1].is_init);
  EXPECT_EQ(pod.containers[2].id, "abc");
}

TEST(PodStateTest, OfManyEventsTheLastOnesStay) {
  Json items = Json::array();
  for (int i = 0; i < 500; ++i)
    items.push_back({{"reason", std::to_string(i)}, {"lastTimestamp", "2026-11-29T23:10:00Z"}});
  const auto events = read_events({{"items", items}});
  ASSERT_EQ(events.size(), 200U);
  EXPECT_EQ(events.back().reason, "499");
}

}  // namespace
}  // namespace flox::kubectl
