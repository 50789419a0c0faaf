#include "node/floxd/pod_presence.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

TEST(PodPresence, a_pod_has_ended_that_was_seen_and_is_not_any_more) {
  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  std::set<std::string> running{"web"};
  int looks = 0;
  PodPresence presence(
      [&](const std::set<std::string>&) {
        ++looks;
        return running;
      },
      [&] { return now; });
  EXPECT_EQ(presence.of("web"), Presence::runs);
  EXPECT_EQ(presence.of("ctr"), Presence::unseen);
  running.clear();
  EXPECT_EQ(presence.of("web"), Presence::runs);  // as it was a moment ago
  EXPECT_EQ(looks, 2);
  now += std::chrono::seconds(3);
  EXPECT_EQ(presence.of("web"), Presence::ended);
  EXPECT_EQ(presence.of("ctr"), Presence::unseen);
  EXPECT_EQ(looks, 3);
  now += std::chrono::minutes(2);
  EXPECT_EQ(presence.of("other"), Presence::unseen);
  EXPECT_EQ(presence.of("web"), Presence::unseen);  // forgotten: its id is nobody's any more
}

}  // namespace
}  // namespace flox::node
