// flox trust rotate: replaces a key of a role by a new one.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/say.h"
#include "cli/trust/commands.h"
#include "trust/key_changes.h"

namespace flox::cli {
namespace {

struct TrustRotateOptions {
  std::string owner, role, old_key, new_key, life;
  std::vector<std::string> signers;
};

// The key to replace: the one that is named, or the only one of the role.
std::string old_key_of(const TrustRotateOptions& options, const trust::Role& role, const trust::Keys& keys) {
  if (options.old_key.empty()) {
    if (role.keyids.size() == 1) return role.keyids.front();
    throw Error(
        ErrorKind::invalid_input, fmt::format("role {} has {} keys", options.role, role.keyids.size()),
        fmt::format("Name the one to replace with --old. 'flox trust show {}' lists them.", options.owner));
  }
  trust::Keys of_role;
  for (const std::string& id : role.keyids) of_role.insert(*keys.find(id));
  return trust::find_key(of_role, options.old_key);
}

// A new key of this machine, which is forgotten again if the change is not begun.
class KeptKey {
 public:
  KeptKey(trust::OwnerRepository& repository, const std::string& role)
      : repository_(repository), key_(nix::SecretKey::generate(repository.free_key_name(role))) {
    repository_.keep(key_);
  }
  KeptKey(const KeptKey&) = delete;
  ~KeptKey() {
    if (!needed_) repository_.discard_unless_named(key_.public_key());
  }
  trust::Key key() const { return trust::Key::of(key_.public_key()); }
  void keep() noexcept { needed_ = true; }

 private:
  trust::OwnerRepository& repository_;
  nix::SecretKey key_;
  bool needed_ = false;
};

void rotate(const TrustRotateOptions& options) {
  const Config config = Config::load();
  trust::TrustStore store = open_trust(config);
  trust::OwnerRepository repository(store, options.owner, trust::OwnerRepository::Use::change);
  repository.require_no_pending();
  trust::Root root = repository.root().content;
  trust::Targets targets = repository.targets().content;
  root.expires = expiry(options.life, trust::default_root_life);
  targets.expires = expiry(options.life, trust::default_targets_life);
  std::optional<KeptKey> made;
  // Given, or made here.
  const auto new_key = [&] {
    if (!options.new_key.empty()) return public_key_of(options.new_key);
    return made.emplace(repository, options.role).key();
  };
  const auto finish = [&](std::optional<trust::Root> next_root, std::optional<trust::Targets> next_targets) {
    const auto outcome = repository.change(std::move(next_root), std::move(next_targets),
                                           signers_for(repository, options.signers));
    if (made) made->keep();
    report(outcome, options.owner);
  };
  if (options.role == "root") {
    trust::replace_key(root, "root", old_key_of(options, root.root, root.keys), new_key());
    finish(std::move(root), {});
  } else if (options.role == "targets") {
    trust::replace_key(root, "targets", old_key_of(options, root.targets, root.keys), new_key());
    finish(std::move(root), std::move(targets));  // the new key signs it from now on
  } else if (options.role == "timestamp") {
    trust::replace_key(root, "timestamp", old_key_of(options, root.timestamp, root.keys),
                       catalog_key(options.new_key, config));
    finish(std::move(root), {});
  } else {
    for (const trust::DelegatedRole& role : targets.roles)
      if (role.name == options.role) {
        if (options.new_key.empty())
          throw Error(ErrorKind::invalid_input, fmt::format("no new key is given for role {}", options.role),
                      "Pass --new KEY. 'flox store keygen NAME --out FILE' makes a key.");
        const std::string old_id = old_key_of(options, role, targets.keys);
        trust::replace_key(targets, options.role, old_id, public_key_of(options.new_key));
        finish({}, std::move(targets));
        say("What only the old key has signed counts no more: publish it again.\n");
        return;
      }
    fail(ErrorKind::not_found, "{} has no role '{}'", options.owner, options.role);
  }
}

}  // namespace

void add_trust_rotate(CLI::App& trust) {
  auto options = std::make_shared<TrustRotateOptions>();
  auto* command = trust.add_subcommand("rotate", "Replace a key of a role by a new one");
  add_owner(*command, options->owner);
  command
      ->add_option("ROLE", options->role, "root, targets, timestamp (the catalog's key), or a delegated role")
      ->required();
  command->add_option("--old", options->old_key,
                      "key to replace, by name or id (default: the role's only key)");
  command->add_option(
      "--new", options->new_key,
      "the new key, NAME:BASE64 or a file (default: of root and targets one is made; of timestamp: "
      "as the catalog says)");
  add_life(*command, options->life);
  add_signers(*command, options->signers);
  command->footer(
      "Examples:\n  flox trust rotate acme root --signer /media/safe/root-1\n"
      "  flox trust rotate acme publishers --new alice-2:MCow…=");
  command->callback([options] { rotate(*options); });
}

}  // namespace flox::cli
