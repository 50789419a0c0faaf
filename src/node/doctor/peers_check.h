// Checks of what this node shares with others, for the doctor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// `metrics`: floxd's page; empty if it does not answer. Throws Error.
std::vector<Finding> check_peers(const Config& config, const std::string& metrics);

// What floxd has from a peer, since its start.
struct PeerStanding {
  std::string address;
  double paths = 0;
  double bytes = 0;
  bool is_shunned = false;  // it failed or lied, and is not asked for some time
};
// Of all peers on floxd's page of metrics.
std::vector<PeerStanding> peers_in(std::string_view metrics);

}  // namespace flox::node
