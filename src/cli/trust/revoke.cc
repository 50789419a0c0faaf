// flox trust revoke: takes a key out of every role.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "base/error.h"
#include "cli/say.h"
#include "cli/trust/commands.h"
#include "trust/key_changes.h"

namespace flox::cli {
namespace {

struct TrustRevokeOptions {
  std::string owner, key, life;
  std::vector<std::string> signers;
};

void revoke(const TrustRevokeOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::change);
  repository.require_no_pending();
  trust::Root root = repository.root().content;
  trust::Targets targets = repository.targets().content;
  trust::Keys all = root.keys;
  all.insert(targets.keys.begin(), targets.keys.end());
  const std::string id = trust::find_key(all, options.key);
  const std::string key = trust::describe_key(id, all);
  const auto of_root = in_context("revoking " + key, [&] { return trust::revoke_key(root, id); });
  const auto of_targets = in_context("revoking " + key, [&] { return trust::revoke_key(targets, id); });
  root.expires = expiry(options.life, trust::default_root_life);
  targets.expires = expiry(options.life, trust::default_targets_life);
  const bool had_targets = std::ranges::find(of_root, "targets") != of_root.end();
  const auto outcome =
      repository.change(of_root.empty() ? std::nullopt : std::optional(std::move(root)),
                        of_targets.empty() && !had_targets ? std::nullopt : std::optional(std::move(targets)),
                        signers_for(repository, options.signers));
  report(outcome, options.owner);
  std::vector<std::string> roles = of_root;
  roles.insert(roles.end(), of_targets.begin(), of_targets.end());
  say("{} {} of {}.\n", key, outcome.complete ? "is no key any more" : "will be no key any more",
      fmt::join(roles, ", "));
  if (!of_targets.empty())
    say("What it has signed alone counts no more: publish it again with another key.\n");
}

}  // namespace

void add_trust_revoke(CLI::App& trust) {
  auto options = std::make_shared<TrustRevokeOptions>();
  auto* command = trust.add_subcommand("revoke", "Take a key out of every role");
  add_owner(*command, options->owner);
  command->add_option("KEY", options->key, "the key, by name, or by 8 or more digits of its id")->required();
  add_life(*command, options->life);
  add_signers(*command, options->signers);
  command->footer("Example:\n  flox trust revoke acme alice-1");
  command->callback([options] { revoke(*options); });
}

}  // namespace flox::cli
