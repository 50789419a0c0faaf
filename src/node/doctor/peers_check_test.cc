#include "node/doctor/peers_check.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/os/file.h"

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

TEST(PeersCheck, a_publishers_key_that_cannot_be_read_is_an_error) {
  const TempDir directory;
  Config config;
  config.peer_key_file = directory.path() / "peers.key";
  write_file(config.peer_key_file, std::string(32, 'k'), 0600);
  config.peer_address = AddressPort::parse("127.0.0.1:9810");
  const auto errors = [&] {
    return std::ranges::count(check_peers(config, ""), Severity::error, &Finding::severity);
  };
  const auto before = errors();
  config.peer_public_keys = {"cache.example-1:nonsense"};
  EXPECT_EQ(errors(), before + 1);
}

}  // namespace
}  // namespace flox::node
