// flox store roots, flox store leases: what keeps paths in the store.
#include "store/gc/roots.h"

#include <memory>

#include "cli/store/commands.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

void show_roots(bool as_json) {
  const store::LocalStore store = open_store(Config::load());
  const store::ReferenceGraph graph = store.references();
  std::vector<store::Root> roots = store::permanent_roots(store);
  for (store::Root& root : store::temporary_roots(store)) roots.push_back(std::move(root));
  for (store::Root& root : store::runtime_roots(graph)) roots.push_back(std::move(root));
  nlohmann::json json = nlohmann::json::array();
  for (const store::Root& root : roots) {
    const bool valid = graph.find(root.path).has_value();
    if (as_json)
      json.push_back({{"kind", store::to_string(root.kind)},
                      {"source", root.source},
                      {"path", root.path.to_string()},
                      {"valid", valid}});
    else
      fmt::print("{:<9}  {} -> {}{}\n", store::to_string(root.kind), root.source, root.path.to_string(),
                 valid ? "" : "  (not in the store)");
  }
  if (as_json) print_json(json);
}

void show_leases(bool as_json) {
  const store::LocalStore store = open_store(Config::load());
  nlohmann::json json = nlohmann::json::array();
  for (const store::Lease& lease : store::list_leases(store)) {
    json.push_back({{"holder", lease.holder}, {"paths", to_json(lease.paths)}});
    for (const nix::StorePath& path : lease.paths)
      if (!as_json) fmt::print("{}  {}\n", lease.holder, path.to_string());
  }
  if (as_json) print_json(json);
}

}  // namespace

void add_store_roots(CLI::App& store) {
  auto json = std::make_shared<bool>(false);
  auto* roots = store.add_subcommand(
      "roots", "What the collector begins from: links, processes at work, files that are open");
  add_json(*roots, *json);
  roots->callback([json] { show_roots(*json); });
  auto* leases = store.add_subcommand("leases", "What running containers keep in the store");
  add_json(*leases, *json);
  leases->callback([json] { show_leases(*json); });
}

}  // namespace flox::cli
