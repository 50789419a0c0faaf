#include "store/peers/peer_group.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/error.h"

namespace flox::store {
namespace {

PeerGroupOptions options_of(std::vector<std::string> places) {
  return {.self = 1, .key = Secret(std::string(32, 'k')), .places = std::move(places)};
}

TEST(PeerGroup, an_address_with_a_zone_is_a_peer_like_others) {
  PeerGroup group(options_of({"fe80::1%lo:9810", "127.0.0.1:1"}));
  group.start();
  for (int i = 0; i < 3000 && group.use().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  group.stop();
  EXPECT_EQ(group.use().size(), 2U);
}

TEST(PeerGroup, refuses_a_place_where_nobody_can_listen) {
  for (const char* place : {"10.0.0.1:0", "10.0.0.1", "nonsense"})
    EXPECT_THROW(PeerGroup(options_of({"10.0.0.2:9810", place})), Error) << place;
}

}  // namespace
}  // namespace flox::store
