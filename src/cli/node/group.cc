// flox node: sets a Kubernetes node up, checks it, and removes flox from it.
#include "cli/commands.h"
#include "cli/node/commands.h"

namespace flox::cli {

void add_node(CLI::App& app) {
  auto* node = app.add_subcommand("node", "Set up, check and remove flox on a Kubernetes node");
  node->require_subcommand(1);
  node->footer(
      "Examples:\n  flox node install --catalog-url http://catalog:8590 --dry-run\n  flox node doctor");
  add_node_install(*node);
  add_node_uninstall(*node);
  add_node_doctor(*node);
  add_node_status(*node);
  add_node_starts(*node);
  add_node_profile(*node);
  add_node_prefetch(*node);
  add_node_label(*node);
  add_node_runtime(*node);
  add_node_images(*node);
  add_node_bundle(*node);
  add_node_unpack(*node);
  add_node_on_host(*node);
}

}  // namespace flox::cli
