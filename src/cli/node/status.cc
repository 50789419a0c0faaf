// flox node status: floxd, the store, its peers and leases, and what is prefetched.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "cli/node/commands.h"
#include "node/doctor/peers_check.h"
#include "node/floxd/config.h"
#include "node/prefetch/prefetch_record.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

std::string peers_text(const Config& config) {
  const std::string served =
      config.peer_address ? "serves at " + config.peer_address->to_string() : "serves none";
  return config.peers.empty() ? fmt::format("(none), {}", served)
                              : fmt::format("{}, {}", fmt::join(config.peers, " "), served);
}

// floxd's answer; nothing if it is not there.
std::optional<HttpResponse> ask_floxd(const Config& config, std::string_view path) {
  try {
    return HttpClient().send({.url = fmt::format("http://{}{}", config.metrics_address.to_string(), path),
                              .timeout = std::chrono::seconds(2),
                              .max_body = BodyLimit(4 << 20)});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return std::nullopt;
  }
}

std::vector<node::PeerStanding> peers_of(const Config& config) {
  if (config.peers.empty()) return {};
  const auto page = ask_floxd(config, "/metrics");
  return page && page->ok() ? node::peers_in(page->body) : std::vector<node::PeerStanding>();
}

nlohmann::json peers_json(const Config& config, const std::vector<node::PeerStanding>& peers) {
  nlohmann::json known = nlohmann::json::array();
  for (const node::PeerStanding& peer : peers)
    known.push_back({{"address", peer.address},
                     {"paths", static_cast<uint64_t>(peer.paths)},
                     {"bytes", static_cast<uint64_t>(peer.bytes)},
                     {"shunned", peer.is_shunned}});
  return {
      {"asked", config.peers},
      {"address", config.peer_address ? nlohmann::json(config.peer_address->to_string()) : nlohmann::json()},
      {"known", known}};
}

void print_status(const Config& config, const std::string& health, const std::vector<store::Lease>& leases,
                  const std::vector<node::PeerStanding>& peers) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& lease : leases) {
    nlohmann::json paths = nlohmann::json::array();
    for (const auto& path : lease.paths) paths.push_back(path.to_string());
    list.push_back({{"holder", lease.holder}, {"paths", paths}});
  }
  fmt::print("{}\n",
             nlohmann::json{{"floxd", {{"state", health}, {"address", config.metrics_address.to_string()}}},
                            {"store", config.root.string()},
                            {"catalog", hide_login(config.catalog_url)},
                            {"peers", peers_json(config, peers)},
                            {"leases", list}}
                 .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void show_status(bool as_json) {
  const Config config = Config::load(SettingsOf::machine);  // as floxd reads them
  store::LocalStore store(config.root);
  auto leases = store::list_leases(store);
  std::string health = "not running, or not at this address";
  if (const auto response = ask_floxd(config, "/healthz"))
    health = response->ok() ? "running" : fmt::format("unhealthy: {}", response->body);
  const std::vector<node::PeerStanding> peers = peers_of(config);
  if (as_json) return print_status(config, health, leases, peers);
  fmt::print("floxd      {} ({})\nstore      {}\ncatalog    {}\npeers      {}\n", health,
             config.metrics_address.to_string(), store.store_directory().string(),
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), peers_text(config));
  for (const node::PeerStanding& peer : peers)
    fmt::print("  {:<68}  gave {:.0f} paths, {:.1f} MB{}\n", peer.address, peer.paths, peer.bytes / 1e6,
               peer.is_shunned ? ", not asked at the moment" : "");
  fmt::print("leases     {}\n", leases.size());
  for (const auto& lease : leases)
    for (const auto& path : lease.paths) fmt::print("  {:<68}  {}\n", lease.holder, path.base_name());
  const auto prefetches = node::read_prefetch_records(node::prefetch_directory(config.root));
  fmt::print("prefetches {}\n", prefetches.size());
  for (const node::PrefetchRecord& one : prefetches)
    fmt::print("  {:<68}  {}\n", one.tenant.empty() ? one.environment : one.tenant + ": " + one.environment,
               to_string(one.state));
}

}  // namespace

void add_node_status(CLI::App& node) {
  auto* command =
      node.add_subcommand("status", "Show floxd, the store, its peers and leases, and what is prefetched");
  command->footer("Example:\n  flox node status");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "print JSON");
  command->callback([json] { show_status(*json); });
}

}  // namespace flox::cli
