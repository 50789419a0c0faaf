// flox node status: floxd, the store, its peers and leases, and what is prefetched.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "cli/node/ask_floxd.h"
#include "cli/node/commands.h"
#include "node/doctor/peers_check.h"
#include "node/floxd/config.h"
#include "node/prefetch/prefetch_record.h"
#include "protocol/status.ttrpc.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

using nlohmann::ordered_json;

struct NodeStatus {
  std::string health;
  std::optional<status::v1::DaemonAnswer> daemon;  // nothing: floxd does not answer
  std::string unanswered;                          // why; empty: it answers, or does not run
  std::vector<store::Lease> leases;
  std::vector<node::PrefetchRecord> prefetches;
  std::vector<node::PeerStanding> peers;
  uint64_t paths = 0, bytes = 0;  // of the store
};

// A page of floxd's; nothing if it is not there.
std::optional<HttpResponse> page_of_floxd(const Config& config, std::string_view path) {
  try {
    return HttpClient().send({.url = fmt::format("http://{}{}", config.metrics_address.to_string(), path),
                              .timeout = std::chrono::seconds(2),
                              .max_body = BodyLimit(4 << 20)});
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    return std::nullopt;
  }
}

std::string health_of(const Config& config) {
  const auto response = page_of_floxd(config, "/healthz");
  if (!response) return "not running, or not at this address";
  return response->ok() ? "running" : fmt::format("unhealthy: {}", printable(response->body, 300));
}

std::string peers_text(const Config& config) {
  const std::string served =
      config.peer_address ? "serves at " + config.peer_address->to_string() : "serves none";
  return config.peers.empty() ? fmt::format("(none), {}", served)
                              : fmt::format("{}, {}", fmt::join(config.peers, " "), served);
}

std::vector<node::PeerStanding> peers_of(const Config& config) {
  if (config.peers.empty()) return {};
  const auto page = page_of_floxd(config, "/metrics");
  return page && page->ok() ? node::peers_in(page->body) : std::vector<node::PeerStanding>();
}

ordered_json peers_json(const Config& config, const std::vector<node::PeerStanding>& peers) {
  ordered_json known = ordered_json::array();
  for (const node::PeerStanding& peer : peers)
    known.push_back({{"address", peer.address},
                     {"paths", static_cast<uint64_t>(peer.paths)},
                     {"bytes", static_cast<uint64_t>(peer.bytes)},
                     {"shunned", peer.is_shunned}});
  return {{"asked", config.peers},
          {"address", config.peer_address ? ordered_json(config.peer_address->to_string()) : ordered_json()},
          {"known", known}};
}

NodeStatus look(const Config& config) {
  const store::LocalStore store(config.root);
  NodeStatus found{.health = health_of(config),
                   .leases = store::list_leases(store),
                   .prefetches = node::read_prefetch_records(node::prefetch_directory(config.root)),
                   .peers = peers_of(config)};
  // An older floxd does not know the question, and only root may ask it.
  try {
    found.daemon = ask_floxd(status::v1::Status::Daemon, status::v1::DaemonRequest());
  } catch (const Error& error) {
    if (found.health == "running") found.unanswered = error.what();
  }
  const store::ReferenceGraph graph = store.references();
  found.paths = graph.size();
  for (store::ReferenceGraph::Index path = 0; path < graph.size(); ++path)
    found.bytes += graph[path].nar_size;
  return found;
}

ordered_json to_json(const Config& config, const NodeStatus& found) {
  ordered_json floxd{{"state", found.health}, {"address", config.metrics_address.to_string()}};
  if (found.daemon) {
    ordered_json lanes = ordered_json::object();
    for (const auto& lane : found.daemon->lanes())
      lanes[lane.name()] = {{"running", lane.running()}, {"waiting", lane.waiting()}};
    floxd.update({{"version", found.daemon->version()},
                  {"started_at_ms", found.daemon->started_at()},
                  {"queue", lanes},
                  {"starts_under_way", found.daemon->starts_under_way()},
                  {"kept_pods", found.daemon->kept_pods()}});
  }
  ordered_json leases = ordered_json::array();
  for (const auto& lease : found.leases) {
    ordered_json paths = ordered_json::array();
    for (const auto& path : lease.paths) paths.push_back(path.to_string());
    leases.push_back({{"holder", lease.holder}, {"paths", paths}});
  }
  ordered_json prefetches = ordered_json::array();
  for (const node::PrefetchRecord& one : found.prefetches)
    prefetches.push_back({{"environment", one.environment},
                          {"namespace", one.tenant},
                          {"state", std::string(to_string(one.state))}});
  ordered_json lazy = nullptr;
  if (found.daemon) {
    const auto& known = found.daemon->lazy();
    lazy = {{"mounts", known.mounts()},
            {"closures", known.closures()},
            {"unfinished", known.unfinished()},
            {"paths", known.paths()},
            {"bytes", known.bytes()},
            {"bytes_here", known.bytes_here()},
            {"reads_waited", known.reads_waited()},
            {"waited_microseconds", known.waited_microseconds()},
            {"reads_failed", known.reads_failed()}};
  }
  ordered_json disk = nullptr;
  if (found.daemon) disk = {{"total", found.daemon->disk_total()}, {"free", found.daemon->disk_free()}};
  return {{"floxd", floxd},
          {"store", config.root.string()},
          {"store_paths", found.paths},
          {"store_bytes", found.bytes},
          {"disk", disk},
          {"lazy", lazy},
          {"catalog", hide_login(config.catalog_url)},
          {"peers", peers_json(config, found.peers)},
          {"leases", leases},
          {"prefetches", prefetches}};
}

void print_text(const Config& config, const NodeStatus& found) {
  const store::LocalStore store(config.root);
  fmt::print("floxd      {}{} ({})\n", found.daemon ? found.daemon->version() + ", " : "", found.health,
             config.metrics_address.to_string());
  if (!found.unanswered.empty()) fmt::print("           {}\n", found.unanswered);
  if (found.daemon)
    for (const auto& lane : found.daemon->lanes())
      if (lane.running() + lane.waiting() > 0)
        fmt::print("           {}: {} running, {} waiting\n", lane.name(), lane.running(), lane.waiting());
  fmt::print("store      {}: {}, {}", store.store_directory().string(), count_text(found.paths, "path"),
             size_text(found.bytes));
  if (found.daemon)
    fmt::print("; {} of {} free", size_text(found.daemon->disk_free()),
               size_text(found.daemon->disk_total()));
  if (found.daemon && found.daemon->lazy().mounts() > 0) {
    const auto& lazy = found.daemon->lazy();
    fmt::print("\nlazy       {} of {} not whole; {} of {} here; {} waited {:.1f} s, {} failed",
               lazy.unfinished(), count_text(lazy.closures(), "closure"), size_text(lazy.bytes_here()),
               size_text(lazy.bytes()), count_text(lazy.reads_waited(), "read"),
               static_cast<double>(lazy.waited_microseconds()) / 1e6, lazy.reads_failed());
  }
  fmt::print("\ncatalog    {}\npeers      {}\n",
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), peers_text(config));
  for (const node::PeerStanding& peer : found.peers)
    fmt::print("  {:<68}  gave {:.0f} paths, {:.1f} MB{}\n", peer.address, peer.paths, peer.bytes / 1e6,
               peer.is_shunned ? ", not asked at the moment" : "");
  fmt::print("leases     {}\n", found.leases.size());
  for (const auto& lease : found.leases)
    for (const auto& path : lease.paths) fmt::print("  {:<68}  {}\n", lease.holder, path.base_name());
  fmt::print("prefetches {}\n", found.prefetches.size());
  for (const node::PrefetchRecord& one : found.prefetches)
    fmt::print("  {:<68}  {}\n", one.tenant.empty() ? one.environment : one.tenant + ": " + one.environment,
               to_string(one.state));
}

void show_status(bool as_json) {
  const Config config = Config::load(SettingsOf::machine);  // as floxd reads them
  const NodeStatus found = look(config);
  if (as_json)
    fmt::print("{}\n", to_json(config, found).dump(2, ' ', false, ordered_json::error_handler_t::replace));
  else
    print_text(config, found);
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
