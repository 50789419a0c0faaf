// flox store leases: lists the paths that running containers use.
#include <memory>

#include "cli/store/commands.h"
#include "store/gc/lease.h"

namespace flox::cli {
namespace {

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

void add_store_leases(CLI::App& store) {
  auto json = std::make_shared<bool>(false);
  auto* command = store.add_subcommand("leases", "List the paths that running containers keep in the store");
  add_json(*command, *json);
  command->footer("Example:\n  flox store leases");
  command->callback([json] { show_leases(*json); });
}

}  // namespace flox::cli
