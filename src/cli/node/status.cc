// flox node status: floxd, the store and its leases.
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

void print_status(const Config& config, const std::string& health, const std::vector<store::Lease>& leases) {
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
                            {"leases", list}}
                 .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

void show_status(bool as_json) {
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
  if (as_json) return print_status(config, health, leases);
  fmt::print("floxd      {} ({})\nstore      {}\ncatalog    {}\nleases     {}\n", health,
             config.metrics_address.to_string(), store.store_directory().string(),
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), leases.size());
  for (const auto& lease : leases)
    for (const auto& path : lease.paths) fmt::print("  {:<68}  {}\n", lease.holder, path.base_name());
}

}  // namespace

void add_node_status(CLI::App& node) {
  auto* command = node.add_subcommand("status", "Show floxd, the store and its leases");
  command->footer("Example:\n  flox node status");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "print JSON");
  command->callback([json] { show_status(*json); });
}

}  // namespace flox::cli
