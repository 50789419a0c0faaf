#include "node/doctor/peers_check.h"

#include <gtest/gtest.h>

namespace flox::node {
namespace {

TEST(PeersCheck, reads_what_floxd_has_of_each_peer) {
  const auto peers = peers_in(
      "# TYPE flox_peer_received_paths_total counter\n"
      "flox_peer_received_paths_total{peer=\"10.0.0.2:9810\"} 24\n"
      "flox_peer_received_paths_total{peer=\"[fd00::2]:9810\"} 0\n"
      "flox_peer_received_bytes_total{peer=\"10.0.0.2:9810\"} 4800000\n"
      "flox_peer_received_bytes_total{peer=\"[fd00::2]:9810\"} 0\n"
      "flox_peer_shunned{peer=\"10.0.0.2:9810\"} 0\n"
      "flox_peer_shunned{peer=\"[fd00::2]:9810\"} 1\n");
  ASSERT_EQ(peers.size(), 2U);
  EXPECT_EQ(peers[0].address, "10.0.0.2:9810");
  EXPECT_EQ(peers[0].paths, 24);
  EXPECT_EQ(peers[0].bytes, 4'800'000);
  EXPECT_FALSE(peers[0].is_shunned);
  EXPECT_TRUE(peers[1].is_shunned);
  EXPECT_TRUE(peers_in("").empty());
  EXPECT_TRUE(peers_in("flox_peer_received_paths_total{peer=\"cut off").empty());
}

}  // namespace
}  // namespace flox::node
