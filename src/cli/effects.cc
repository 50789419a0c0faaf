#include "cli/effects.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>

namespace flox::cli {
namespace {

struct Effect {
  std::string_view command;  // its names, without those of flox
  std::string_view changes;  // what, as its help says it; empty: nothing
};

constexpr std::string_view on_nothing;
// The words of the help for what several commands change.
constexpr std::string_view on_environment = "the environment's files";
constexpr std::string_view on_environment_with_store =
    "the environment's files; the store, by what is missing in it";
constexpr std::string_view on_changed_environment =
    "the environment's files, or with -r the catalog; the store, by what is missing in it";
constexpr std::string_view on_store = "the store";
constexpr std::string_view on_missing_paths = "the store, by what is missing in it";
constexpr std::string_view on_imported = "the store; with --publish the catalog";
constexpr std::string_view on_services = "the environment's services";
constexpr std::string_view on_catalog = "the catalog";
constexpr std::string_view on_cache = "a binary cache";
constexpr std::string_view on_trust = "signed metadata and keys on this machine";
constexpr std::string_view on_configuration = "the user's configuration";
constexpr std::string_view on_node = "this node";
constexpr std::string_view on_output = "what it is told to write";

// Sorted. Caches do not count: what is fetched again where it is missing.
constexpr Effect effects[] = {
    {"activate", on_missing_paths},
    {"activate allow", "what the user has allowed"},
    {"activate deny", "what the user has allowed"},
    {"activate hook", on_nothing},
    {"auth login", on_configuration},
    {"auth logout", "the user's configuration; the catalog"},
    {"auth status", on_nothing},
    {"auth token create", on_catalog},
    {"auth token list", on_nothing},
    {"auth token revoke", on_catalog},
    {"build", "the store; the result's links beside the environment"},
    {"catalog gc", on_catalog},
    {"catalog retention apply", on_catalog},
    {"catalog retention set", on_catalog},
    {"catalog retention show", on_nothing},
    {"catalog serve", "the catalog's directory; the user's configuration, if that is wanted"},
    {"complete-words", on_nothing},
    {"completion", on_nothing},
    {"config", "with --set, --unset and --reset the user's configuration"},
    {"containerize", on_output},
    {"deactivate", on_nothing},
    {"delete", on_environment},
    {"edit", on_changed_environment},
    {"envs", on_nothing},
    {"generations diff", on_nothing},
    {"generations history", on_nothing},
    {"generations list", on_nothing},
    {"generations rollback", on_environment},
    {"generations switch", on_environment},
    {"hook-env", on_nothing},
    {"import deb", on_imported},
    {"import lock", on_imported},
    {"import nix", on_imported},
    {"import npm", on_imported},
    {"import pypi", on_imported},
    {"include upgrade", on_changed_environment},
    {"init", on_environment_with_store},
    {"install", on_changed_environment},
    {"kube", "the containers of this machine"},
    {"list", on_nothing},
    {"lock", on_environment_with_store},
    {"manual", on_output},
    {"node bundle", on_output},
    {"node doctor", on_nothing},
    {"node images", on_output},
    {"node install", on_node},
    {"node label", "the node's labels in the cluster"},
    {"node on-host", "what the command changes"},
    {"node prefetch", "the node's store"},
    {"node profile export", on_nothing},
    {"node profile import", "the node's start profiles"},
    {"node profile list", on_nothing},
    {"node profile publish", on_catalog},
    {"node profile unpublish", on_catalog},
    {"node runtime", "the node's store"},
    {"node starts", on_nothing},
    {"node status", on_nothing},
    {"node uninstall", on_node},
    {"node unpack", on_node},
    {"owner add", on_catalog},
    {"owner create", on_catalog},
    {"owner list", on_nothing},
    {"owner members", on_nothing},
    {"owner remove", on_catalog},
    {"owner visibility", on_catalog},
    {"policy admission", on_nothing},
    {"policy explain", on_nothing},
    {"policy test", on_nothing},
    {"publish", on_catalog},
    {"pull", on_environment},
    {"push", "the catalog; which generation it is, in the environment's files"},
    {"run", on_missing_paths},
    {"sbom", on_nothing},
    {"sbom diff", on_nothing},
    {"search", on_nothing},
    {"services logs", on_nothing},
    {"services restart", on_services},
    {"services start", on_services},
    {"services status", on_nothing},
    {"services stop", on_services},
    {"show", on_nothing},
    {"store add", on_store},
    {"store cat", on_nothing},
    {"store closure", on_nothing},
    {"store copy", "with --to a binary cache, with --from the store"},
    {"store gc", on_store},
    {"store index", on_cache},
    {"store info", on_nothing},
    {"store key", on_nothing},
    {"store keygen", on_output},
    {"store leases", on_nothing},
    {"store ls", on_nothing},
    {"store mount", "mounts, and files that go with them"},
    {"store optimise", on_store},
    {"store realise", on_missing_paths},
    {"store roots", on_nothing},
    {"store serve", on_nothing},
    {"store sign", "signatures in the store"},
    {"store verify", "with --repair the store"},
    {"trust accept", on_trust},
    {"trust add-key", on_trust},
    {"trust init", on_trust},
    {"trust publish", on_catalog},
    {"trust renew", on_trust},
    {"trust revoke", on_trust},
    {"trust rotate", on_trust},
    {"trust show", on_nothing},
    {"trust sign", on_output},
    {"uninstall", on_changed_environment},
    {"upgrade", on_changed_environment},
    {"verify", on_nothing},
    {"yank", on_catalog},
};
static_assert(std::ranges::is_sorted(effects, {}, &Effect::command));

// Before the examples, which stand at the end of most.
std::string with_effect(std::string footer, std::string_view changes) {
  const std::string line = changes.empty() ? "Changes nothing." : fmt::format("Changes: {}.", changes);
  const size_t behind_text = footer.find("\nExample");
  if (footer.starts_with("Example")) return line + "\n\n" + footer;
  if (behind_text == std::string::npos) return footer + (footer.empty() ? "" : "\n\n") + line;
  return footer.insert(behind_text + 1, line + "\n\n");
}

// Gives how many there are. A group, which does nothing without one of its commands, has no effect.
size_t add_below(CLI::App& group, const std::string& name) {
  size_t count = 0;
  for (CLI::App* command : group.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string full = name.empty() ? command->get_name() : name + " " + command->get_name();
    if (!command->get_prefix_command())
      count += add_below(*command, full);  // else another program's commands
    if (command->get_require_subcommand_min() > 0) continue;
    const auto* const found = std::ranges::lower_bound(effects, full, {}, &Effect::command);
    if (found == std::end(effects) || found->command != full)
      throw std::logic_error(
          fmt::format("what 'flox {}' changes does not stand in src/cli/effects.cc", full));
    command->footer(with_effect(command->get_footer(), found->changes));
    ++count;
  }
  return count;
}

}  // namespace

void add_effects(CLI::App& app, bool are_all) {
  const size_t count = add_below(app, "");
  if (are_all && count != std::size(effects))
    throw std::logic_error("src/cli/effects.cc has a command that flox does not have");
}

}  // namespace flox::cli
