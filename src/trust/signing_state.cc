#include "trust/signing_state.h"

#include <algorithm>

#include "base/error.h"
#include "trust/delegation.h"

namespace flox::trust {
namespace {

Keys keys_in(const Keys& keys, const Role& role) {
  Keys result;
  for (const std::string& id : role.keyids)
    if (const auto key = keys.find(id); key != keys.end()) result.insert(*key);
  return result;
}

// Keys whose signatures a root may bear.
Keys signing_keys(const Signed<Root>& root, const Signed<Root>* before) {
  Keys keys = keys_in(root.content.keys, root.content.root);
  if (before != nullptr) keys.merge(keys_in(before->content.keys, before->content.root));
  return keys;
}

Role anyone_of(const Keys& keys) {
  Role role;
  for (const auto& [id, key] : keys) role.keyids.push_back(id);
  return role;
}

// Counts the signatures of one role.
template <typename T>
void count(SigningState& state, const Signed<T>& file, const Keys& keys, const Role& role) {
  const auto signers = valid_signers(file.message, file.signatures, keys, role);
  state.signatures += std::min<size_t>(signers.size(), role.threshold);
  state.needed += role.threshold;
  if (signers.size() >= role.threshold) return;
  for (const std::string& id : role.keyids)
    if (std::ranges::find(signers, id) == signers.end()) {
      const std::string text = describe_key(id, keys);
      if (std::ranges::find(state.lacking, text) == state.lacking.end()) state.lacking.push_back(text);
    }
}

// Keys of all roles that answer for the name.
Keys keys_for(const std::string& name, const Targets& targets) {
  Keys keys;
  for (const DelegatedRole* role : roles_of(targets, name)) keys.merge(keys_in(targets.keys, *role));
  return keys;
}

template <typename T>
void take(Signed<T>& file, const Signed<T>& copy, const Keys& keys, const Role& role) {
  for (const std::string& id : valid_signers(file.message, copy.signatures, keys, role))
    file.add(*std::ranges::find(copy.signatures, id, &MetadataSignature::keyid));
}

}  // namespace

void take_signatures(Signed<Root>& root, const Signed<Root>& copy, const Signed<Root>* before) {
  const Keys keys = signing_keys(root, before);
  take(root, copy, keys, anyone_of(keys));
}

void take_signatures(Signed<Targets>& targets, const Signed<Targets>& copy, const Root& root) {
  take(targets, copy, root.keys, root.targets);
}

void take_signatures(Signed<NameFile>& file, const Signed<NameFile>& copy, const Targets& targets) {
  const Keys keys = keys_for(file.content.name, targets);
  take(file, copy, keys, anyone_of(keys));
}

size_t sign(Signed<Root>& root, const Signed<Root>* before, const Signers& signers) {
  const Keys keys = signing_keys(root, before);
  return add_signatures(root, keys, anyone_of(keys), signers);
}

size_t sign(Signed<Targets>& targets, const Root& root, const Signers& signers) {
  return add_signatures(targets, root.keys, root.targets, signers);
}

size_t sign(Signed<NameFile>& file, const Targets& targets, const Signers& signers) {
  const Keys keys = keys_for(file.content.name, targets);
  return add_signatures(file, keys, anyone_of(keys), signers);
}

SigningState signing_state(const Signed<Root>& root, const Signed<Root>* before) {
  SigningState state{.path = {}, .what = fmt::format("root.json version {}", root.content.version)};
  if (before != nullptr) count(state, root, before->content.keys, before->content.root);
  // A key of both counts for both.
  count(state, root, root.content.keys, root.content.root);
  return state;
}

SigningState signing_state(const Signed<Targets>& targets, const Root& root) {
  SigningState state{.path = {}, .what = fmt::format("targets.json version {}", targets.content.version)};
  count(state, targets, root.keys, root.targets);
  return state;
}

SigningState signing_state(const Signed<NameFile>& file, const Targets& targets) {
  const std::string what = fmt::format("{} version {}", file.content.name, file.content.version);
  SigningState best{.path = {}, .what = what};
  size_t least = SIZE_MAX;
  for (const DelegatedRole* role : roles_of(targets, file.content.name)) {
    SigningState state{.path = {}, .what = what};
    count(state, file, targets.keys, *role);
    const size_t missing = state.needed - state.signatures;
    if (missing < least) best = std::move(state);
    least = std::min(least, missing);
  }
  if (least == SIZE_MAX)
    throw Error(
        ErrorKind::untrusted, fmt::format("{} has delegated {} to nobody", targets.owner, file.content.name),
        fmt::format("Ask whoever holds {}'s targets key to delegate it: flox trust add-key.", targets.owner));
  return best;
}

Signed<NameFile> merged(const std::vector<Signed<NameFile>>& copies, const Targets& targets) {
  if (copies.empty()) fail(ErrorKind::invalid_input, "there is no signed file");
  auto result = Signed<NameFile>::of(copies.front().content);
  for (const Signed<NameFile>& copy : copies) {
    if (copy.message != result.message)
      fail(ErrorKind::invalid_input, "the files of {} do not say the same: {} version {}, and {} version {}",
           result.content.owner, result.content.name, result.content.version, copy.content.name,
           copy.content.version);
    take_signatures(result, copy, targets);
  }
  return result;
}

}  // namespace flox::trust
