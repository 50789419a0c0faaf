#include "trust/owner_repository.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
constexpr const char* begun_directory = "repository/pending.new";  // of a change that was not yet begun
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

void make_private_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail_errno(errno, "making {}", path.string());
}

void sync(const Directory& directory) {
  if (::fsync(directory.fd()) != 0) fail_errno(errno, "bringing {} to the disk", directory.name());
}

// For a directory that nobody reads yet.
void create_file_synced(const Directory& directory, const std::string& name, std::string_view text,
                        unsigned mode) {
  directory.create_file(name, text, mode);
  if (::fsync(directory.open(name, O_RDONLY).get()) != 0)
    fail_errno(errno, "bringing {}/{} to the disk", directory.name(), name);
}

void move_synced(const fs::path& from, const fs::path& to) {
  const Directory place(to.parent_path());
  Directory(from.parent_path()).rename(from.filename().string(), place, to.filename().string());
  sync(place);
}

// What begins with a dot is no key's name: a file that was not completed.
bool is_kept_key(std::string_view name) { return !name.starts_with('.'); }

}  // namespace

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
  if (lock_) finish();  // a change that was ended after it was complete
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
  TempDir made("." + owner + ".new-", all);  // one that was left goes: secret keys may be in it
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
  read_pending();
  if (committed_.root) roots_.push_back(*committed_.root);
  targets_ = committed_.targets;
  std::ranges::sort(targets, std::greater());
  for (const uint64_t version : targets) {
    if (roots_.empty() || targets_) break;
    auto file = read_as<Targets>(directory, fmt::format("{}.targets.json", version));
    if (signing_state(file, root().content).complete()) targets_ = std::move(file);
  }
}

void OwnerRepository::read_pending() {
  pending_ = committed_ = {};
  const auto waiting = own_directory(directory_ / pending_directory);
  if (!waiting) return;
  Pending found;
  for (const std::string& name : waiting->names(most_files)) {
    if (version_in(name, ".root.json") > roots_.size()) found.root = read_as<Root>(*waiting, name);
    if (version_in(name, ".targets.json") != 0) found.targets = read_as<Targets>(*waiting, name);
  }
  if (!found.root && !found.targets) return;
  const bool has_root = found.root || !roots_.empty();
  const bool complete = has_root && std::ranges::all_of(states_of(found), &SigningState::complete);
  (complete ? committed_ : pending_) = std::move(found);
}

void OwnerRepository::finish() {
  const Pending done = std::exchange(committed_, {});
  const fs::path waiting = directory_ / pending_directory, place = directory_ / repository_directory;
  // The owner's own machine trusts the owner.
  if (done.root && done.root->content.version == 1)
    write_file_synced(directory_ / "root.json", done.root->to_string());
  // Targets first: it counts only with the root that names its keys.
  if (done.targets) move_synced(waiting / file_name_of(*done.targets), place / file_name_of(*done.targets));
  if (done.root) move_synced(waiting / file_name_of(*done.root), place / file_name_of(*done.root));
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
    if (is_kept_key(name)) signers.push_back(Signer::open((directory_ / keys_directory / name).string()));
  return signers;
}

void OwnerRepository::keep(const nix::SecretKey& key) {
  check_label(key.name, "the key's name");
  make_private_directory(directory_ / keys_directory);
  const Directory keys = own_directory(directory_ / keys_directory).value();
  if (keys.exists(key.name))
    fail(ErrorKind::conflict, "there is a {} already", (directory_ / keys_directory / key.name).string());
  const std::string unfinished = "." + key.name;
  keys.remove(unfinished);
  create_file_synced(keys, unfinished, key.to_secret_text().reveal() + "\n", 0600);
  keys.rename(unfinished, keys, key.name);
  sync(keys);
}

void OwnerRepository::discard_unless_named(const nix::PublicKey& key) noexcept try {
  read();
  const std::string id = Key::of(key).id();
  for (const Pending& change : {pending_, committed_})
    if ((change.root && change.root->content.keys.contains(id)) ||
        (change.targets && change.targets->content.keys.contains(id)))
      return;
  if ((!roots_.empty() && roots_.back().content.keys.contains(id)) ||
      (targets_ && targets_->content.keys.contains(id)))
    return;
  Directory(directory_ / keys_directory).remove(key.name);
} catch (const std::exception&) {  // one key more than is needed harms nobody, and one less does
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
  begin(next);
  return outcome_of(next);
}

// Both files appear at once, by one rename.
void OwnerRepository::begin(const Pending& change) {
  const fs::path begun = directory_ / begun_directory, waiting = directory_ / pending_directory;
  remove_tree(begun);
  make_private_directory(begun);
  const Directory directory(begun);
  if (change.targets)
    create_file_synced(directory, file_name_of(*change.targets), change.targets->to_string(), 0644);
  if (change.root) create_file_synced(directory, file_name_of(*change.root), change.root->to_string(), 0644);
  sync(directory);
  remove_tree(waiting);  // nothing waits in it: what is there was left by one that was ended
  move_synced(begun, waiting);
}

ChangeOutcome OwnerRepository::outcome_of(const Pending& change) {
  ChangeOutcome outcome{.complete = true, .files = states_of(change)};
  for (const SigningState& state : outcome.files) outcome.complete = outcome.complete && state.complete();
  read();
  finish();
  if (outcome.complete)
    for (SigningState& state : outcome.files)
      state.path = directory_ / repository_directory / state.path.filename();
  return outcome;
}

ChangeOutcome OwnerRepository::add_signatures_of(const Signed<Root>& copy) {
  require_change();
  if (!pending_.root || pending_.root->message != copy.message)
    fail(ErrorKind::not_found, "no root.json version {} with this content waits for signatures in {}",
         copy.content.version, (directory_ / pending_directory).string());
  Pending next = pending_;
  take_signatures(*next.root, copy, root_before(copy));
  write_file_synced(directory_ / pending_directory / file_name_of(*next.root), next.root->to_string());
  return outcome_of(next);
}

ChangeOutcome OwnerRepository::add_signatures_of(const Signed<Targets>& copy) {
  require_change();
  if (!pending_.targets || pending_.targets->message != copy.message)
    fail(ErrorKind::not_found, "no targets.json version {} with this content waits for signatures in {}",
         copy.content.version, (directory_ / pending_directory).string());
  Pending next = pending_;
  take_signatures(*next.targets, copy, root_for(pending_).content);
  write_file_synced(directory_ / pending_directory / file_name_of(*next.targets), next.targets->to_string());
  return outcome_of(next);
}

}  // namespace flox::trust
