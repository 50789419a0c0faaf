// flox policy: what the node's policy says, and tests of it.
#include <filesystem>

#include "cli/commands.h"
#include "cli/policy/commands.h"
#include "node/policy/policy_file.h"
#include "node/policy/reader.h"

namespace flox::cli {

void add_policy(CLI::App& app) {
  auto* policy = app.add_subcommand("policy", "Test and explain what the node's policy lets pods run");
  policy->require_subcommand(1);
  policy->footer("Examples:\n  flox policy test pod.yaml\n  flox policy explain --namespace shop");
  add_policy_test(*policy);
  add_policy_explain(*policy);
  add_policy_admission(*policy);
}

void add_policy_file(CLI::App& command, std::string& file) {
  command.add_option("--policy", file,
                     "file with the rules (default: the setting policy, else /etc/flox/policy.toml)");
}

policy::Policy read_policy_of(const Config& config, const std::string& named) {
  const policy::Defaults defaults{.install = config.pod_install,
                                  .prefetch = config.pod_prefetch,
                                  .nix_mutable = config.allow_nix_mutable,
                                  .store_view = config.store_view};
  if (!named.empty()) return policy::load_policy(named, defaults);
  if (!config.policy.empty()) return policy::load_policy(config.policy, defaults);
  if (std::filesystem::exists(policy::default_policy_file))
    return policy::load_policy(policy::default_policy_file, defaults);
  return {.file = {}, .defaults = defaults, .denies = {}, .allows = {}};
}

}  // namespace flox::cli
