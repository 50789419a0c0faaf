#include "trust/verifier.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <mutex>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/printable.h"
#include "trust/delegation.h"

namespace flox::trust {
namespace {

// What was verified once, by the hash of all that decided it. Emptied when it is full: what is asked for
// often comes back at once.
template <typename T>
class Verified {
 public:
  template <typename Make>
  std::shared_ptr<const T> get(const Sha256Digest& key, Make&& make) {
    if (auto found = find(key)) return found;
    auto made = std::make_shared<const T>(make());
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= most_) entries_.clear();
    return entries_.emplace(key, std::move(made)).first->second;
  }
  explicit Verified(size_t most) : most_(most) {}
  // Nothing: it was not verified.
  std::shared_ptr<const T> find(const Sha256Digest& key) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
  }

 private:
  const size_t most_;
  std::mutex mutex_;
  std::map<Sha256Digest, std::shared_ptr<const T>> entries_;
};

// The hash of a text that is judged by what `by` is the hash of.
Sha256Digest hash_of(std::string_view by, std::string_view text) {
  Sha256 hash;
  hash.update(by);
  hash.update(text);
  return hash.finish();
}

// A name's file, and the role that answers for it.
struct SignedName {
  Signed<NameFile> file;
  std::string role;
  std::vector<SignerName> signers;
};

template <typename T>
void require_owner(const Signed<T>& file, std::string_view owner, std::string_view what) {
  if (file.content.owner != owner)
    fail(ErrorKind::untrusted, "{}: it is of the owner '{}', not of '{}'", what, file.content.owner, owner);
}

void require_not_older(uint64_t version, uint64_t seen, std::string_view what) {
  if (version >= seen) return;
  throw Error(
      ErrorKind::untrusted,
      fmt::format("{}: version {} is older than version {}, which was seen here before", what, version, seen),
      "Find out why the catalog goes back: it may have been restored from a backup, or somebody holds "
      "back what is new.");
}

SignedName with_signers(Signed<NameFile> file, const Targets& targets) {
  const Delegation delegation = require_delegation(targets, file);
  SignedName result{.file = std::move(file), .role = delegation.role, .signers = {}};
  for (const std::string& id : delegation.keyids)
    result.signers.push_back({.keyid = id, .name = targets.keys.at(id).name});
  return result;
}

// What the file says of the build, which is just the record. Throws Error(untrusted).
const Target& signed_target(const NameFile& file, const PackageRecord& record) {
  const auto found = file.targets.find(record.target_path());
  if (found == file.targets.end())
    fail(ErrorKind::untrusted, "{} {} for {}: version {} of what {} has signed has no such build",
         record.name, printable(record.version), printable(record.target_path()), file.version, file.owner);
  const Target expected = record.to_target();
  if (found->second.length != expected.length || found->second.sha256 != expected.sha256 ||
      found->second.outputs != expected.outputs)
    fail(ErrorKind::untrusted, "{} {}: the catalog's answer is not what {} has signed for {}", record.name,
         printable(record.version), file.owner, printable(record.target_path()));
  return found->second;
}

// That the environment is what its file says.
Provenance environment_of(const NameFile& file, Provenance provenance, const EnvironmentRecord& record) {
  if (file.version != record.generation)
    fail(ErrorKind::untrusted,
         "environment {}/{}: the answer is called generation {}, and generation {} is signed", record.owner,
         record.name, record.generation, file.version);
  for (const auto& [path, expected] : record.to_targets()) {
    const auto found = file.targets.find(path);
    if (found == file.targets.end() || found->second.length != expected.length ||
        found->second.sha256 != expected.sha256)
      fail(ErrorKind::untrusted, "environment {}/{} generation {}: its {} is not what {} has signed",
           record.owner, record.name, record.generation, path, record.owner);
  }
  provenance.yanked = file.targets.find("manifest.toml")->second.yanked;
  return provenance;
}

void require_owner_of(const EnvironmentRecord& record, std::string_view owner) {
  if (owner != record.owner)
    fail(ErrorKind::untrusted, "environment {}/{}: the catalog has sent what '{}' has signed", record.owner,
         record.name, owner);
}

constexpr size_t most_owners_kept = 64;
constexpr size_t most_names_kept = 2'000;
constexpr uint64_t most_roots = 64;  // above the one in force, in one step: as Evidence has it

}  // namespace

struct Verifier::State {
  TrustStore& store;
  const Clock clock;
  const bool remember;
  const RootSource root_source;  // none: the evidence has the roots
  Verified<Signed<Targets>> targets{most_owners_kept};
  Verified<Signed<Timestamp>> timestamps{most_owners_kept};
  Verified<SignedName> names{most_names_kept};

  struct Result {
    std::shared_ptr<const SignedName> name;
    Time expires;
    Provenance provenance() const {
      const NameFile& file = name->file.content;
      return {.owner = file.owner,
              .name = file.name,
              .version = file.version,
              .role = name->role,
              .signers = name->signers,
              .expires = expires,
              .yanked = {}};
    }
  };

  // What the catalog says of a name, verified up to the name's file.
  struct Newest {
    Time at;  // now
    std::optional<Signed<Root>> root;
    Seen seen;
    uint64_t name_version = 0;  // that was seen before
    std::shared_ptr<const Signed<Targets>> targets;
    std::shared_ptr<const Signed<Timestamp>> timestamp;
    Sha256Digest by_targets;
    Leaf leaf;
  };
  Newest newest(const Evidence& evidence, const std::string& name) {
    Newest result = owner_files(evidence, store.known(evidence.owner, name));
    result.leaf = verified_leaf(evidence, name, result.timestamp->content);
    require_not_older(result.leaf.version, result.name_version,
                      fmt::format("{} of {}", name, evidence.owner));
    return result;
  }

  // The same without the name.
  Newest owner_files(const Evidence& evidence, TrustStore::Known known) {
    const std::string& owner = evidence.owner;
    Newest result{.at = clock()};
    const Time at = result.at;
    if (const auto above = newer_roots(evidence, known.root); !above.empty()) {
      Signed<Root> newest = store.update_root(owner, above, at, remember);
      known.seen = seen_after(known.seen, known.root.content, newest.content);
      if (forgets_names(known.root.content, newest.content)) known.name_version = 0;
      known.root = std::move(newest);
    }
    const Root& root = known.root.content;
    require_current(root, at, "root.json");

    const Sha256Digest by_root = sha256(known.root.message);
    result.by_targets = hash_of(bytes_of(by_root), evidence.targets);
    result.targets = targets.get(result.by_targets, [&] {
      return verified_by<Targets>(evidence.targets, "targets.json", owner, known.root, root.targets);
    });
    result.timestamp = timestamps.get(hash_of(bytes_of(by_root), evidence.timestamp),
                                      [&] { return verified_timestamp(evidence, known.root); });
    const Targets& delegations = result.targets->content;
    const Timestamp& stamp = result.timestamp->content;
    require_current(delegations, at, "targets.json");
    require_not_older(delegations.version, known.seen.targets, fmt::format("targets.json of {}", owner));
    require_current(stamp, at, "timestamp.json");
    require_not_older(stamp.version, known.seen.timestamp, fmt::format("timestamp.json of {}", owner));
    require_not_older(stamp.root_version, root.version,
                      fmt::format("root.json of {} in the timestamp", owner));
    if (stamp.root_version > root.version)
      throw Error(
          ErrorKind::unavailable,
          fmt::format(
              "root.json of {}: the timestamp names version {}, and the catalog has sent none above {}",
              owner, stamp.root_version, root.version),
          "Try again; if it stays so, ask whoever runs the catalog.");
    if (stamp.targets_version != delegations.version)
      fail(ErrorKind::untrusted,
           "targets.json of {}: version {} is not version {}, which the timestamp names", owner,
           delegations.version, stamp.targets_version);
    result.root = std::move(known.root);
    result.seen = known.seen;
    result.name_version = known.name_version;
    return result;
  }

  // All but whether the answer is what the file says. `generation`: one that was asked for by its number.
  Result verify(const Evidence& evidence, const std::string& name, std::optional<uint64_t> generation) {
    const std::string& owner = evidence.owner;
    const Newest now = newest(evidence, name);
    const Targets& delegations = now.targets->content;
    const Timestamp& stamp = now.timestamp->content;
    const auto found = signed_name(now.by_targets, delegations, evidence.name_file, owner, name);
    const NameFile& file = found->file.content;
    require_same(file, evidence.name_file, name, now.leaf, generation);
    require_current(file, now.at, name);

    const Seen seen{.timestamp = stamp.version, .targets = delegations.version};
    // Of the file, not of the leaf: a version that only the online key has signed is none.
    if (remember && (seen != now.seen || file.version > now.name_version))
      store.remember(owner, now.root->content.version, seen, name, file.version);
    return {.name = found, .expires = std::min({stamp.expires, delegations.expires, file.expires})};
  }

  // Of kept evidence: everything but what is the newest, and what has expired.
  Result verify_kept(const KeptEvidence& kept, const std::string& text, const std::string& name) {
    const Signed<Root> root = store.root(kept.owner);
    const Sha256Digest by_targets = hash_of(bytes_of(sha256(root.message)), kept.targets);
    const auto delegations = targets.get(by_targets, [&] {
      return verified_by<Targets>(kept.targets, "targets.json", kept.owner, root, root.content.targets);
    });
    const auto found = signed_name(by_targets, delegations->content, text, kept.owner, name);
    const NameFile& file = found->file.content;
    if (file.name != name)
      fail(ErrorKind::untrusted, "{} of {}: the file of {} was kept instead", name, kept.owner, file.name);
    return {.name = found, .expires = std::min(delegations->content.expires, file.expires)};
  }

 private:
  // Most answers come with a timestamp that the root in force has verified before: none stands above it then.
  std::vector<std::string> newer_roots(const Evidence& evidence, const Signed<Root>& root) {
    if (!root_source) return evidence.roots;
    const auto known = timestamps.find(hash_of(bytes_of(sha256(root.message)), evidence.timestamp));
    if (known && known->content.root_version <= root.content.version) return {};
    return roots_above(evidence.owner, root.content.version, evidence.timestamp, root_source);
  }

  // The name's file, signed by who may sign it.
  std::shared_ptr<const SignedName> signed_name(const Sha256Digest& by_targets, const Targets& delegations,
                                                const std::string& text, const std::string& owner,
                                                const std::string& name) {
    return names.get(hash_of(bytes_of(by_targets), text), [&] {
      auto file = Signed<NameFile>::parse(text, fmt::format("the file of {}", name));
      require_owner(file, owner, file.content.name);
      return with_signers(std::move(file), delegations);
    });
  }

  template <typename T>
  static Signed<T> verified_by(const std::string& text, const char* what, const std::string& owner,
                               const Signed<Root>& root, const Role& role) {
    auto file = Signed<T>::parse(text, what);
    require_owner(file, owner, what);
    require_signers(file.message, file.signatures, root.content.keys, role, T::type,
                    fmt::format("{} of {} version {}", what, owner, file.content.version));
    return file;
  }

  static Signed<Timestamp> verified_timestamp(const Evidence& evidence, const Signed<Root>& root) try {
    return verified_by<Timestamp>(evidence.timestamp, "timestamp.json", evidence.owner, root,
                                  root.content.timestamp);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::untrusted || !error.advice().empty()) throw;
    throw error.with_advice(fmt::format(
        "If the catalog has got another key, {} names it: 'flox trust rotate {} timestamp', 'flox "
        "trust publish {}'. If not, find out who answers in its place.",
        evidence.owner, evidence.owner, evidence.owner));
  }

  static Leaf verified_leaf(const Evidence& evidence, const std::string& name, const Timestamp& stamp) {
    const Proof proof = Proof::parse(evidence.proof, fmt::format("the proof of {}", name));
    if (proof.leaf.name != name)
      fail(ErrorKind::untrusted, "the catalog has sent a proof of {} instead of {}", proof.leaf.name, name);
    proof.verify(stamp.merkle_root, stamp.merkle_leaves);
    return proof.leaf;
  }

  // The file is that name's, and the newest or the one that was asked for.
  static void require_same(const NameFile& file, const std::string& text, const std::string& name,
                           const Leaf& leaf, std::optional<uint64_t> generation) {
    const std::string what = fmt::format("{} of {}", name, file.owner);
    if (file.name != name)
      fail(ErrorKind::untrusted, "{}: the catalog has sent the file of {} instead", what, file.name);
    if (generation && file.version != *generation)
      fail(ErrorKind::untrusted, "{}: the catalog has sent generation {} instead of {}", what, file.version,
           *generation);
    if (file.version > leaf.version || (!generation && file.version != leaf.version))
      fail(ErrorKind::untrusted, "{}: the catalog has sent version {}, and the newest is {}", what,
           file.version, leaf.version);
    if (file.version == leaf.version && to_hex(bytes_of(sha256(text))) != leaf.sha256)
      fail(ErrorKind::untrusted, "{}: its file is not the one that the timestamp names for version {}", what,
           file.version);
  }
};

std::string Provenance::to_string() const {
  std::vector<std::string> by;
  for (const SignerName& signer : signers)
    by.push_back(signer.name.empty() ? signer.keyid.substr(0, 8)
                                     : fmt::format("{} ({})", signer.name, signer.keyid.substr(0, 8)));
  return printable(fmt::format("{} version {}, signed by {} (role {} of {})", name, version,
                               fmt::join(by, ", "), role, owner));
}

std::vector<std::string> roots_above(const std::string& owner, uint64_t root, const std::string& timestamp,
                                     const RootSource& source) {
  const uint64_t newest = Signed<Timestamp>::parse(timestamp, "timestamp.json").content.root_version;
  std::vector<std::string> roots;
  for (uint64_t version = root + 1; version <= newest && roots.size() < most_roots; ++version) {
    auto next = source(owner, version);
    if (!next) break;
    roots.push_back(std::move(*next));
  }
  return roots;
}

Verifier::Verifier(TrustStore& store, Clock clock, bool remember, RootSource roots)
    : state_(new State{
          .store = store, .clock = std::move(clock), .remember = remember, .root_source = std::move(roots)}) {
}
Verifier::~Verifier() = default;

VerifiedPackage Verifier::verify_package_file(const Evidence& evidence, std::string_view package) {
  state_->store.require_package(evidence.owner, package);
  const auto result = state_->verify(evidence, package_name(package), std::nullopt);
  return {.file = result.name->file.content, .provenance = result.provenance()};
}

VerifiedOwner Verifier::verify_owner(const Evidence& evidence) {
  State::Newest now = state_->owner_files(
      evidence, {.root = state_->store.root(evidence.owner), .seen = state_->store.seen(evidence.owner)});
  return {.root = std::move(now.root->content),
          .targets = now.targets->content,
          .timestamp = now.timestamp->content};
}

VerifiedPackage Verifier::verify_name(const Evidence& evidence, const std::string& name) {
  const auto result = state_->verify(evidence, name, std::nullopt);
  return {.file = result.name->file.content, .provenance = result.provenance()};
}

uint64_t Verifier::newest_version(const Evidence& evidence, const std::string& name) {
  return state_->newest(evidence, name).leaf.version;
}

Provenance VerifiedPackage::of(const PackageRecord& record) const {
  Provenance result = provenance;
  result.yanked = signed_target(file, record).yanked;
  if (newest) result.yanked = signed_target(*newest, record).yanked;
  return result;
}

Provenance Verifier::verify_package(const Evidence& evidence, const PackageRecord& record) {
  return verify_package_file(evidence, record.name).of(record);
}

Provenance Verifier::verify_environment(const Evidence& evidence, const EnvironmentRecord& record) {
  require_owner_of(record, evidence.owner);
  const auto result = state_->verify(evidence, environment_name(record.name),
                                     record.latest ? std::nullopt : std::optional(record.generation));
  return environment_of(result.name->file.content, result.provenance(), record);
}

VerifiedPackage Verifier::verify_kept_package_file(const KeptEvidence& kept, std::string_view package) {
  state_->store.require_package(kept.owner, package);
  const std::string name = package_name(package);
  const auto result = state_->verify_kept(kept, kept.name_file, name);
  VerifiedPackage verified{.file = result.name->file.content, .provenance = result.provenance()};
  if (kept.newest.empty()) return verified;
  try {
    const auto newest = state_->verify_kept(kept, kept.newest, name);
    if (newest.name->file.content.version > verified.file.version)
      verified.newest = newest.name->file.content;
  } catch (const Error&) {  // of a key that was revoked since: it says nothing of the build any more
  }
  return verified;
}

Provenance Verifier::verify_kept_environment(const KeptEvidence& kept, const EnvironmentRecord& record) {
  require_owner_of(record, kept.owner);
  const auto result = state_->verify_kept(kept, kept.name_file, environment_name(record.name));
  return environment_of(result.name->file.content, result.provenance(), record);
}

}  // namespace flox::trust
