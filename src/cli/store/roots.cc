// flox store roots: lists the garbage-collection roots.
#include "store/gc/roots.h"

#include <memory>

#include "cli/store/commands.h"

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

}  // namespace

void add_store_roots(CLI::App& store) {
  auto json = std::make_shared<bool>(false);
  auto* command = store.add_subcommand("roots", "List garbage-collection roots");
  add_json(*command, *json);
  command->footer(
      "Kinds: links below gcroots and profiles, temporary roots of running processes, files that are "
      "open.\n\n"
      "Example:\n  flox store roots --json | jq -r '.[] | select(.valid | not).source'");
  command->callback([json] { show_roots(*json); });
}

}  // namespace flox::cli
