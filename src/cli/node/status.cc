// flox node status: floxd, the store, its leases, and what is prefetched.
#include <fmt/format.h>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/net/url.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/prefetch/prefetch_record.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

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
  fmt::print("floxd      {} ({})\nstore      {}\ncatalog    {}\nleases     {}\n", health,
             config.metrics_address.to_string(), store.store_directory().string(),
             config.catalog_url.empty() ? "(none)" : hide_login(config.catalog_url), leases.size());
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
  auto* command = node.add_subcommand("status", "Show floxd, the store, its leases and what is prefetched");
  command->footer("Example:\n  flox node status");
  command->callback(show_status);
}

}  // namespace flox::cli
