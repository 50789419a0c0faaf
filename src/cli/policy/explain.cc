// flox policy explain: the rules in plain words.
#include "node/policy/explain.h"

#include <fmt/format.h>

#include <memory>

#include "cli/policy/commands.h"

namespace flox::cli {
namespace {

struct ExplainOptions {
  std::string file, pod_namespace;
};

void print_explanation(const ExplainOptions& options) {
  const Config config = Config::load();
  std::optional<std::string> pod_namespace;
  if (!options.pod_namespace.empty()) pod_namespace = options.pod_namespace;
  fmt::print("{}", policy::explain(read_policy_of(config, options.file), pod_namespace));
}

}  // namespace

void add_policy_explain(CLI::App& policy) {
  auto options = std::make_shared<ExplainOptions>();
  auto* command = policy.add_subcommand("explain", "Show the node's policy in plain words");
  add_policy_file(*command, options->file);
  command->add_option("-n,--namespace", options->pod_namespace,
                      "only what is for pods of this namespace (default: all rules)");
  command->footer("Example:\n  flox policy explain --namespace shop");
  command->callback([options] { print_explanation(*options); });
}

}  // namespace flox::cli
