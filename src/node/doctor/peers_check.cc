#include "node/doctor/peers_check.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/settings/address.h"
#include "node/doctor/policy_check.h"
#include "store/peers/peer_proof.h"

namespace flox::node {

std::vector<Finding> check_peers(const Config& config, const std::string& metrics) {
  std::vector<Finding> findings;
  const auto add = [&](Severity severity, std::string text, std::string advice) {
    findings.push_back({severity, "peers", std::move(text), std::move(advice)});
  };
  if (config.peers.empty() && !config.peer_address) {
    add(Severity::ok, "nothing is shared with other nodes (peers, peer_address)", "");
    return findings;
  }
  try {
    store::read_peer_key(config.peer_key_file);
  } catch (const Error& error) {
    add(Severity::error, fmt::format("nothing is shared with other nodes: {}", error.what()),
        error.advice().empty()
            ? fmt::format("Write the key that all nodes have to {}, mode 600.", config.peer_key_file.string())
            : error.advice());
    return findings;
  }
  for (const std::string& place : config.peers) try {
      AddressPort::parse(place);
    } catch (const Error& error) {
      add(Severity::error, fmt::format("peers: {}", error.what()), "Write HOST:PORT, as in 10.0.0.2:9810.");
    }
  add(Severity::ok,
      fmt::format("peers: {}; other nodes are served at {}",
                  config.peers.empty() ? "none" : fmt::format("{}", fmt::join(config.peers, ", ")),
                  config.peer_address ? config.peer_address->to_string() : "no address"),
      "");
  if (const double lied = metric_in(metrics, "flox_peer_failures_total{reason=\"lied\"}"); lied > 0)
    add(Severity::error, fmt::format("{:.0f} times a peer gave what was not signed; it was not used", lied),
        "Read floxd's log for its address, and verify that node's store: flox store verify.");
  if (const double failed = metric_in(metrics, "flox_peer_failures_total{reason=\"failed\"}"); failed > 0)
    add(Severity::warning,
        fmt::format("{:.0f} times a peer could not be used, and the caches were asked instead", failed),
        "compare keys and clocks of the nodes, and see that the port is open between them; floxd's log has "
        "the reasons");
  if (const double refused = metric_in(metrics, "flox_peer_refused_total"); refused > 0)
    add(Severity::warning,
        fmt::format("{:.0f} requests at the peers' address came without the peers' key", refused),
        "let a network policy or firewall admit nodes only, and see that all of them have the same key");
  return findings;
}

}  // namespace flox::node
