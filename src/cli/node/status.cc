// flox node status: floxd, the store and its leases.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

std::string peers_text(const Config& config) {
  const std::string served =
      config.peer_address ? "serves at " + config.peer_address->to_string() : "serves none";
  return config.peers.empty() ? fmt::format("(none), {}", served)
                              : fmt::format("{}, {}", fmt::join(config.peers, " "), served);
}

void show_status() {
  Config config = Config::load();
  store::LocalStore store(config.root);
  auto leases = store::list_leases(store);
  std::string health = "not running, or not at this address";
  try {
    HttpResponse response =
        HttpClient().send({.url = "http://" + config.metrics_address.to_string() + "/healthz",
                           .timeout = std::chrono::seconds(2),
                           .max_body = BodyLimit(1 << 20)});
    health = response.ok() ? "running" : fmt::format("unhealthy: {}", response.body);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
  }
  fmt::print("floxd      {} ({})\nstore      {}\ncatalog    {}\npeers      {}\nleases     {}\n", health,
             config.metrics_address.to_string(), store.store_directory().string(),
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), peers_text(config),
             leases.size());
  for (const auto& lease : leases)
    for (const auto& path : lease.paths) fmt::print("  {:<68}  {}\n", lease.holder, path.base_name());
}

}  // namespace

void add_node_status(CLI::App& node) {
  auto* command = node.add_subcommand("status", "Show floxd, the store and its leases");
  command->footer("Example:\n  flox node status");
  command->callback(show_status);
}

}  // namespace flox::cli
