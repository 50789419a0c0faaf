// kubectl flox closure: the store paths that a pod runs.
#include <memory>

#include "kubectl/commands/commands.h"
#include "kubectl/commands/pod_node.h"

namespace flox::kubectl {
namespace {

struct ClosureOptions {
  std::string pod;
  bool sizes = false, tree = false, json = false;
};

void show_closure(Common& common, const ClosureOptions& options) {
  const Kubectl kubectl = common.kubectl();
  std::vector<std::string> arguments{"store", "closure"};
  if (options.sizes) arguments.emplace_back("--sizes");
  if (options.tree) arguments.emplace_back("--tree");
  if (options.json) arguments.emplace_back("--json");
  arguments.emplace_back("--pod");
  const PodState pod = find_pod(kubectl, common, options.pod);
  fmt::print("{}", printable_lines(flox_on_node_of(kubectl, pod, std::move(arguments))));
}

}  // namespace

void add_closure(CLI::App& app, Common& common) {
  auto options = std::make_shared<ClosureOptions>();
  auto* command = app.add_subcommand("closure", "List the store paths that a pod runs");
  command->add_option("POD", options->pod, "name of the pod")->required();
  command->add_flag("--sizes", options->sizes, "print sizes, the largest path first");
  auto* tree = command->add_flag("--tree", options->tree, "print a tree of references");
  command->add_flag("--json", options->json, "print JSON with the information on each path")->excludes(tree);
  command->footer(
      fmt::format("{}\n\nExamples:\n  kubectl flox closure web-7d9c -n shop --sizes", exit_codes));
  command->callback([options, &common] { show_closure(common, *options); });
}

}  // namespace flox::kubectl
