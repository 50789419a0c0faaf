#include "trust/owner_repository.h"

#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "trust/own_files.h"

namespace flox::trust {
namespace {

namespace fs = std::filesystem;

constexpr const char* keys_directory = "keys";
constexpr const char* repository_directory = "repository";
constexpr const char* pending_directory = "repository/pending";
constexpr size_t most_files = 100'000;
constexpr size_t most_kept_keys = 1'000;

std::string file_name_of(const Signed<Root>& root) {
  return fmt::format("{}.root.json", root.content.version);
}
std::string file_name_of(const Signed<Targets>& targets) {
  return fmt::format("{}.targets.json", targets.content.version);
}

// The version in "3.root.json"; 0 for another name.
uint64_t version_in(std::string_view name, std::string_view suffix) {
  uint64_t version = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), version);
  return error == std::errc() && std::string_view(end, name.data() + name.size()) == suffix ? version : 0;
}

template <typename T>
Signed<T> read_as(const Directory& directory, const std::string& name) {
  const auto text = read_own_file(directory, name, T::limits.bytes);
  if (!text) fail(ErrorKind::not_found, "there is no {}/{}", directory.name(), name);
  return Signed<T>::parse(*text, fmt::format("{}/{}", directory.name(), name));
}

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

Role all_of(const Keys& keys) {
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

void make_private_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail_errno(errno, "making {}", path.string());
}

void write_key(const Directory& directory, const nix::SecretKey& key) {
  check_label(key.name, "the key's name");
  directory.create_file(key.name, key.to_secret_text().reveal() + "\n", 0600);
}

}  // namespace

size_t sign(Signed<Root>& root, const Signed<Root>* before, const Signers& signers) {
  const Keys keys = signing_keys(root, before);
  return add_signatures(root, keys, all_of(keys), signers);
}

size_t sign(Signed<Targets>& targets, const Root& root, const Signers& signers) {
  return add_signatures(targets, root.keys, root.targets, signers);
}

size_t sign(Signed<NameFile>& file, const Targets& targets, const Signers& signers) {
  Keys keys;
  for (const DelegatedRole& role : targets.roles)
    if (role.covers(file.content.name)) keys.merge(keys_in(targets.keys, role));
  return add_signatures(file, keys, all_of(keys), signers);
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

bool OwnerRepository::exists(const TrustStore& store, const std::string& owner) {
  check_owner(owner);
  return fs::is_directory(fs::symlink_status(store.directory() / owner / repository_directory));
}

OwnerRepository::OwnerRepository(TrustStore& store, std::string owner, Use use)
    : OwnerRepository(store, owner, store.directory() / owner) {
  if (!exists(store_, owner_))
    throw Error(ErrorKind::not_found,
                fmt::format("the metadata of {} is not kept here: there is no {}", owner_,
                            (directory_ / repository_directory).string()),
                fmt::format("Run 'flox trust init {}' to begin, or pass --trust-dir.", owner_));
  if (use == Use::change) lock_.emplace(directory_ / "lock", FileLock::Mode::exclusive);
  read();
}

OwnerRepository::OwnerRepository(TrustStore& store, std::string owner, fs::path directory)
    : store_(store), owner_(std::move(owner)), directory_(std::move(directory)) {
  check_owner(owner_);
}

ChangeOutcome OwnerRepository::create(TrustStore& store, Root root, Targets targets,
                                      const std::vector<nix::SecretKey>& keys, const Signers& signers) {
  const std::string owner = root.owner;
  check_owner(owner);
  const fs::path all = store.directory();
  make_own_directory(all);
  const FileLock lock(all / "lock", FileLock::Mode::exclusive);
  if (fs::exists(fs::symlink_status(all / owner)))
    throw Error(
        ErrorKind::conflict, fmt::format("there is a {} already", (all / owner).string()),
        fmt::format(
            "Run 'flox trust show {}' to see what is there; 'flox trust rotate' and 'add-key' change it.",
            owner));
  TempDir made("." + owner + ".new-", all);
  OwnerRepository repository(store, owner, made.path());
  for (const char* directory : {keys_directory, repository_directory, pending_directory})
    make_private_directory(made.path() / directory);
  for (const nix::SecretKey& key : keys) repository.keep(key);
  repository.lock_.emplace(made.path() / "lock", FileLock::Mode::exclusive);
  ChangeOutcome outcome = repository.change(std::move(root), std::move(targets), signers);
  for (const char* directory : {"", repository_directory})
    fs::permissions(made.path() / directory, fs::perms(0755));
  for (SigningState& file : outcome.files)
    file.path = all / owner / file.path.lexically_relative(made.path());
  fs::rename(made.path(), all / owner);
  (void)made.release();
  return outcome;
}

void OwnerRepository::read() {
  const Directory directory = own_directory(directory_ / repository_directory).value();
  std::vector<uint64_t> targets;
  uint64_t newest_root = 0;
  for (const std::string& name : directory.names(most_files)) {
    newest_root = std::max(newest_root, version_in(name, ".root.json"));
    if (const uint64_t version = version_in(name, ".targets.json")) targets.push_back(version);
  }
  roots_.clear();
  for (uint64_t version = 1; version <= newest_root; ++version)
    roots_.push_back(read_as<Root>(directory, fmt::format("{}.root.json", version)));
  std::ranges::sort(targets, std::greater());
  targets_.reset();
  for (const uint64_t version : targets) {
    if (roots_.empty()) break;
    auto file = read_as<Targets>(directory, fmt::format("{}.targets.json", version));
    if (!signing_state(file, root().content).complete()) continue;
    targets_ = std::move(file);
    break;
  }
  pending_ = {};
  if (const auto waiting = own_directory(directory_ / pending_directory))
    for (const std::string& name : waiting->names(most_files)) {
      if (version_in(name, ".root.json") != 0) pending_.root = read_as<Root>(*waiting, name);
      if (version_in(name, ".targets.json") != 0) pending_.targets = read_as<Targets>(*waiting, name);
    }
}

const Signed<Root>& OwnerRepository::root() const {
  if (!roots_.empty()) return roots_.back();
  throw Error(ErrorKind::conflict, fmt::format("root.json of {} version 1 still lacks signatures", owner_),
              fmt::format("Have it signed: 'flox trust sign {}'.",
                          (directory_ / pending_directory / "1.root.json").string()));
}

const Signed<Targets>& OwnerRepository::targets() const {
  root();
  if (targets_) return *targets_;
  fail(ErrorKind::untrusted, "no targets.json in {} is signed by the keys that root.json version {} names",
       (directory_ / repository_directory).string(), root().content.version);
}

const Signed<Root>* OwnerRepository::root_before(const Signed<Root>& root) const {
  const uint64_t version = root.content.version;
  return version >= 2 && version - 2 < roots_.size() ? &roots_[version - 2] : nullptr;
}

const Signed<Root>& OwnerRepository::root_for(const Pending& pending) const {
  return pending.root ? *pending.root : root();
}

std::vector<SigningState> OwnerRepository::states_of(const Pending& pending) const {
  std::vector<SigningState> states;
  if (pending.root) {
    states.push_back(signing_state(*pending.root, root_before(*pending.root)));
    states.back().path = directory_ / pending_directory / file_name_of(*pending.root);
  }
  if (pending.targets) {
    states.push_back(signing_state(*pending.targets, root_for(pending).content));
    states.back().path = directory_ / pending_directory / file_name_of(*pending.targets);
  }
  return states;
}

std::vector<SigningState> OwnerRepository::pending() const { return states_of(pending_); }

void OwnerRepository::require_no_pending() const {
  if (!pending_.root && !pending_.targets) return;
  const fs::path directory = directory_ / pending_directory;
  throw Error(
      ErrorKind::conflict,
      fmt::format("a change of {} waits for signatures in {}", owner_, directory.string()),
      fmt::format("Have its files signed with 'flox trust sign FILE', or give it up with 'rm {}/*.json'.",
                  directory.string()));
}

Signers OwnerRepository::kept_signers() const {
  Signers signers;
  const auto directory = own_directory(directory_ / keys_directory);
  if (!directory) return signers;
  for (const std::string& name : directory->names(most_kept_keys))
    signers.push_back(Signer::open((directory_ / keys_directory / name).string()));
  return signers;
}

void OwnerRepository::keep(const nix::SecretKey& key) {
  make_private_directory(directory_ / keys_directory);
  write_key(own_directory(directory_ / keys_directory).value(), key);
}

void OwnerRepository::discard(const std::string& key_name) noexcept {
  std::error_code ignored;  // nobody would use it: no metadata names it
  fs::remove(directory_ / keys_directory / key_name, ignored);
}

std::string OwnerRepository::free_key_name(std::string_view role) const {
  for (size_t number = 1;; ++number)
    if (std::string name = fmt::format("{}-{}", role, number);
        !fs::exists(fs::symlink_status(directory_ / keys_directory / name)))
      return name;
}

void OwnerRepository::require_change() const {
  if (!lock_) fail(ErrorKind::internal, "the repository of {} was opened for reading", owner_);
}

ChangeOutcome OwnerRepository::change(std::optional<Root> root, std::optional<Targets> targets,
                                      const Signers& signers) {
  require_change();
  require_no_pending();
  Pending next;
  if (root) {
    root->version = roots_.size() + 1;
    next.root = Signed<Root>::of(std::move(*root));
    sign(*next.root, root_before(*next.root), signers);
  }
  if (targets) {
    targets->version = targets_ ? targets_->content.version + 1 : 1;
    next.targets = Signed<Targets>::of(std::move(*targets));
    sign(*next.targets, root_for(next).content, signers);
  }
  return write(next);
}

ChangeOutcome OwnerRepository::write(const Pending& pending) {
  ChangeOutcome outcome{.complete = true, .files = states_of(pending)};
  for (const SigningState& state : outcome.files) outcome.complete = outcome.complete && state.complete();
  const fs::path waiting = directory_ / pending_directory;
  const fs::path place = outcome.complete ? directory_ / repository_directory : waiting;
  make_private_directory(waiting);
  if (pending.targets)
    write_file_synced(place / file_name_of(*pending.targets), pending.targets->to_string());
  if (pending.root) write_file_synced(place / file_name_of(*pending.root), pending.root->to_string());
  if (!outcome.complete) {
    pending_ = pending;
    return outcome;
  }
  for (SigningState& state : outcome.files) state.path = place / state.path.filename();
  // The owner's own machine trusts the owner.
  if (pending.root && pending.root->content.version == 1)
    write_file_synced(directory_ / "root.json", pending.root->to_string());
  for (const SigningState& state : outcome.files) fs::remove(waiting / state.path.filename());
  read();
  return outcome;
}

ChangeOutcome OwnerRepository::add_signatures_of(const Signed<Root>& copy) {
  require_change();
  if (!pending_.root || pending_.root->message != copy.message)
    fail(ErrorKind::not_found, "no root.json version {} with this content waits for signatures in {}",
         copy.content.version, (directory_ / pending_directory).string());
  Pending next = pending_;
  const Keys keys = signing_keys(copy, root_before(copy));
  for (const std::string& id : valid_signers(copy.message, copy.signatures, keys, all_of(keys)))
    next.root->add(*std::ranges::find(copy.signatures, id, &MetadataSignature::keyid));
  return write(next);
}

ChangeOutcome OwnerRepository::add_signatures_of(const Signed<Targets>& copy) {
  require_change();
  if (!pending_.targets || pending_.targets->message != copy.message)
    fail(ErrorKind::not_found, "no targets.json version {} with this content waits for signatures in {}",
         copy.content.version, (directory_ / pending_directory).string());
  Pending next = pending_;
  const Root& root = root_for(pending_).content;
  for (const std::string& id : valid_signers(copy.message, copy.signatures, root.keys, root.targets))
    next.targets->add(*std::ranges::find(copy.signatures, id, &MetadataSignature::keyid));
  return write(next);
}

}  // namespace flox::trust
