// flox trust renew: signs root.json and targets.json anew before they expire.
#include <memory>

#include "cli/trust/commands.h"

namespace flox::cli {
namespace {

struct TrustRenewOptions {
  std::string owner, life;
  std::vector<std::string> signers;
};

void renew(const TrustRenewOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::change);
  repository.require_no_pending();
  trust::Root root = repository.root().content;
  trust::Targets targets = repository.targets().content;
  root.expires = expiry(options.life, trust::default_root_life);
  targets.expires = expiry(options.life, trust::default_targets_life);
  report(repository.change(std::move(root), std::move(targets), signers_for(repository, options.signers)),
         options.owner);
}

}  // namespace

void add_trust_renew(CLI::App& trust) {
  auto options = std::make_shared<TrustRenewOptions>();
  auto* command = trust.add_subcommand("renew", "Sign root and targets anew, with a later expiry");
  add_owner(*command, options->owner);
  add_life(*command, options->life);
  add_signers(*command, options->signers);
  command->footer("Example:\n  flox trust renew acme --signer /media/safe/root-1");
  command->callback([options] { renew(*options); });
}

}  // namespace flox::cli
