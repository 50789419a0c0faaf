// flox trust init: begins the signed metadata of an owner.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/say.h"
#include "cli/trust/commands.h"
#include "trust/new_owner.h"

namespace flox::cli {
namespace {

struct TrustInitOptions {
  std::string owner, catalog_key, role = "publishers", life;
  std::vector<std::string> signing_keys, paths{"*"}, root_keys, signers;
  uint64_t threshold = 1;
};

std::vector<trust::Key> signing_keys_of(const TrustInitOptions& options, const Config& config) {
  std::vector<std::string> texts = options.signing_keys;
  if (texts.empty() && !config.signing_private_key.empty()) texts.push_back(config.signing_private_key);
  if (texts.empty())
    throw Error(
        ErrorKind::invalid_input, "no key is given that may sign packages and environments",
        "Pass --signing-key KEY, or set FLOX_SIGNING_PRIVATE_KEY. 'flox store keygen NAME --out FILE' makes "
        "a key.");
  std::vector<trust::Key> keys;
  for (const std::string& text : texts) keys.push_back(public_key_of(text));
  return keys;
}

void init(const TrustInitOptions& options) {
  const Config config = Config::load();
  trust::check_owner(options.owner);
  trust::NewOwner owner{.name = options.owner,
                        .signing_keys = signing_keys_of(options, config),
                        .role = options.role,
                        .paths = options.paths,
                        .threshold = options.threshold,
                        .root_expires = expiry(options.life, trust::default_root_life),
                        .targets_expires = expiry(options.life, trust::default_targets_life)};
  trust::TrustStore store = open_trust(config);
  for (const std::string& text : options.root_keys) owner.further_root_keys.push_back(public_key_of(text));
  if (options.threshold < 1 || options.threshold > options.root_keys.size() + 1)
    throw Error(ErrorKind::invalid_input,
                fmt::format("--threshold: {} of {} root keys cannot sign", options.threshold,
                            options.root_keys.size() + 1),
                "Name the keys of the other holders with --root-key.");
  owner.timestamp_key = catalog_key(options.catalog_key, config);
  const auto outcome = trust::begin_owner(store, owner, open_signers(options.signers));
  report(outcome, options.owner);
  const std::string keys = (store.directory() / options.owner / "keys").string();
  say("✔ Made the keys root-1 and targets-1 in {}\n"
      "  Take {}/root-1 to a safe place off this machine: who has it decides whom everybody trusts. Name it\n"
      "  with --signer when it is needed again.\n",
      keys, keys);
  if (outcome.complete) {
    say("  The root's fingerprint, for everybody who is to trust {}:\n", options.owner);
    fmt::print("{}\n", trust::fingerprint_of(store.root(options.owner)));
  }
}

}  // namespace

void add_trust_init(CLI::App& trust) {
  auto options = std::make_shared<TrustInitOptions>();
  auto* command =
      trust.add_subcommand("init", "Begin the signed metadata of an owner and print its fingerprint");
  add_owner(*command, options->owner);
  command->add_option("--catalog-key", options->catalog_key,
                      "public key with which the catalog signs timestamps (default: as the catalog says)");
  command->add_option("--signing-key", options->signing_keys,
                      "key that may sign packages and environments: NAME:BASE64 or a file (default: "
                      "signing_private_key)");
  command->add_option("--paths", options->paths,
                      "names that it may sign, as 'web-*' or environments/web (default: '*')");
  command->add_option("--role", options->role, "name of that role (default: publishers)");
  command->add_option("--root-key", options->root_keys, "public root key of a further holder");
  command->add_option("--threshold", options->threshold,
                      "root keys that must sign a change of the root (default 1)");
  add_life(*command, options->life);
  add_signers(*command, options->signers);
  command->footer(
      "Examples:\n  flox trust init acme\n  flox trust init acme --root-key bob-1:MCow…= --threshold 2");
  command->callback([options] { init(*options); });
}

}  // namespace flox::cli
