#include "node/doctor/peers_check.h"

#include <fmt/ranges.h>

#include "base/error.h"
#include "base/printable.h"
#include "nix/signature.h"
#include "node/doctor/policy_check.h"
#include "store/peers/peer_places.h"
#include "store/peers/peer_proof.h"

namespace flox::node {
namespace {

constexpr size_t most_peers_read = 1024;

}  // namespace

std::vector<PeerStanding> peers_in(std::string_view metrics) {
  constexpr std::string_view begin = "flox_peer_received_paths_total{peer=\"";
  std::vector<PeerStanding> peers;
  for (size_t at = 0; at < metrics.size() && peers.size() < most_peers_read;) {
    const std::string_view line = metrics.substr(at, metrics.find('\n', at) - at);
    at += line.size() + 1;
    const size_t end = line.find("\"}");
    if (!line.starts_with(begin) || end == std::string_view::npos) continue;
    const std::string_view address = line.substr(begin.size(), end - begin.size());
    const auto value = [&](std::string_view name) {
      return metric_in(metrics, fmt::format("{}{{peer=\"{}\"}}", name, address));
    };
    peers.push_back({.address = printable(address),
                     .paths = value("flox_peer_received_paths_total"),
                     .bytes = value("flox_peer_received_bytes_total"),
                     .is_shunned = value("flox_peer_shunned") > 0});
  }
  return peers;
}

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
    store::read_peer_keys(config.peer_key_file, !config.peers.empty());
  } catch (const Error& error) {
    add(Severity::error, fmt::format("nothing is shared with other nodes: {}", error.what()),
        error.advice().empty()
            ? fmt::format("Write a key that all nodes have to {}, mode 600.", config.peer_key_file.string())
            : error.advice());
    return findings;
  }
  try {
    const nix::TrustedKeys keys(config.peer_public_keys);
  } catch (const Error& error) {
    add(Severity::error, fmt::format("peer_public_keys: {}: none of them counts", error.what()),
        error.advice().empty() ? "Write each as NAME:BASE64, as in key.pub." : error.advice());
  }
  for (const std::string& place : config.peers) try {
      store::peer_place(place);
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
        "Compare keys and clocks of the nodes, and see that the port is open between them; floxd's log has "
        "the reasons.");
  for (const PeerStanding& peer : peers_in(metrics))
    if (peer.is_shunned)
      add(Severity::warning, fmt::format("peer {} is not asked at the moment", peer.address),
          "See that floxd runs on that node, and that the port is open between the nodes.");
  if (const double refused = metric_in(metrics, "flox_peer_refused_total"); refused > 0)
    add(Severity::warning,
        fmt::format("{:.0f} requests at the peers' address came without the peers' key", refused),
        "Let a network policy or firewall admit nodes only, and see that all of them have the same key.");
  return findings;
}

}  // namespace flox::node
