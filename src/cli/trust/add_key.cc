// flox trust add-key: lets a key sign names that match patterns.
#include <memory>

#include "cli/trust/commands.h"
#include "trust/key_changes.h"

namespace flox::cli {
namespace {

struct TrustAddKeyOptions {
  std::string owner, role, key, life;
  std::vector<std::string> paths, signers;
  uint64_t threshold = 0;
  bool terminating = false;
};

void add(const TrustAddKeyOptions& options) {
  trust::TrustStore store = open_trust(Config::load());
  trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::change);
  repository.require_no_pending();
  trust::Targets targets = repository.targets().content;
  trust::add_key(targets, {.role = options.role,
                           .key = public_key_of(options.key),
                           .paths = options.paths,
                           .threshold = options.threshold,
                           .terminating = options.terminating});
  targets.expires = expiry(options.life, trust::default_targets_life);
  report(repository.change({}, std::move(targets), signers_for(repository, options.signers)), options.owner);
}

}  // namespace

void add_trust_add_key(CLI::App& trust) {
  auto options = std::make_shared<TrustAddKeyOptions>();
  auto* command = trust.add_subcommand("add-key", "Delegate names to a key");
  add_owner(*command, options->owner);
  command
      ->add_option("NAME", options->role,
                   "name of the role that gets the key; it is made if --paths are given")
      ->required();
  command->add_option("PUBLIC-KEY", options->key, "NAME:BASE64, or a file of a key")->required();
  command->add_option("--paths", options->paths,
                      "names that the role may sign, as 'web-*', 'packages/web-*' or environments/web");
  command->add_option("--threshold", options->threshold,
                      "keys of the role that must sign a name (default: as it is, 1 for a new role)");
  command->add_flag("--terminating", options->terminating,
                    "of a new role: nobody else may sign what its patterns cover");
  add_life(*command, options->life);
  add_signers(*command, options->signers);
  command->footer(
      "Examples:\n  flox trust add-key acme web web-1:MCow…= --paths 'web-*'\n"
      "  flox trust add-key acme web web-2:MCow…= --threshold 2");
  command->callback([options] { add(*options); });
}

}  // namespace flox::cli
