// flox node label: tells Kubernetes what this node can do.
#include <fmt/ranges.h>

#include <memory>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/node/commands.h"
#include "node/installer/labels.h"

namespace flox::cli {
namespace {

void label(const std::string& name, const std::string& kubeconfig, bool print_only) {
  std::vector<std::string> argv = {"kubectl"};
  if (!kubeconfig.empty()) argv.insert(argv.end(), {"--kubeconfig", kubeconfig});
  argv.insert(argv.end(), {"label", "node", name, "--overwrite"});
  for (const auto& [key, value] : node::labels_of_this_machine()) argv.push_back(key + "=" + value);
  if (print_only) {
    fmt::print("{}\n", fmt::join(argv, " "));
    return;
  }
  in_context(fmt::format("labelling node {}", name), [&] {
    try {
      run_checked({.argv = argv});
    } catch (const Error& error) {
      throw error.with_advice("Run what 'flox node label --print' prints where kubectl reaches the cluster.");
    }
  });
  for (const auto& [key, value] : node::labels_of_this_machine()) fmt::print("✔ {}={}\n", key, value);
}

}  // namespace

void add_node_label(CLI::App& node) {
  struct NodeLabelOptions {
    std::string name = node::host_name(), kubeconfig;
    bool print = false;
  };
  auto options = std::make_shared<NodeLabelOptions>();
  auto* command = node.add_subcommand("label", "Label this node in the cluster: runtime and CPU level");
  command->add_option("NODE", options->name, "name of the node in the cluster")->capture_default_str();
  command->add_option("--kubeconfig", options->kubeconfig, "kubeconfig of the cluster (default: kubectl's)");
  command->add_flag("--print", options->print, "print the kubectl command, do not run it");
  command->footer("Examples:\n  flox node label worker-1\n  flox node label worker-1 --print");
  command->callback([options] { label(options->name, options->kubeconfig, options->print); });
}

}  // namespace flox::cli
