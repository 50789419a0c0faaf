#include "trust/new_owner.h"

#include "base/error.h"
#include "nix/signature.h"
#include "trust/key_changes.h"

namespace flox::trust {
namespace {

Role role_of(Keys& keys, const std::vector<Key>& members, uint64_t threshold) {
  Role role{.keyids = {}, .threshold = threshold};
  for (const Key& key : members) {
    role.keyids.push_back(key.id());
    keys.emplace(key.id(), key);
  }
  return role;
}

}  // namespace

ChangeOutcome begin_owner(TrustStore& store, const NewOwner& owner, Signers further) {
  const std::vector<nix::SecretKey> made = {nix::SecretKey::generate("root-1"),
                                            nix::SecretKey::generate("targets-1")};
  std::vector<Key> root_keys{Key::of(made[0].public_key())};
  root_keys.insert(root_keys.end(), owner.further_root_keys.begin(), owner.further_root_keys.end());
  if (owner.threshold < 1 || owner.threshold > root_keys.size())
    fail(ErrorKind::invalid_input, "{} of {} root keys cannot sign", owner.threshold, root_keys.size());

  Root root;
  root.owner = owner.name;
  root.expires = owner.root_expires;
  root.root = role_of(root.keys, root_keys, owner.threshold);
  root.targets = role_of(root.keys, {Key::of(made[1].public_key())}, 1);
  root.timestamp = role_of(root.keys, {owner.timestamp_key}, 1);
  root.snapshot = root.timestamp;

  Targets targets;
  targets.owner = owner.name;
  targets.expires = owner.targets_expires;
  for (const Key& key : owner.signing_keys)
    add_key(targets, {.role = owner.role, .key = key, .paths = owner.paths});

  for (const nix::SecretKey& key : made) further.push_back(Signer::of(key));
  return OwnerRepository::create(store, std::move(root), std::move(targets), made, further);
}

}  // namespace flox::trust
