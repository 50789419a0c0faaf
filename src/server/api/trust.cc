#include "server/api/trust.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/data/secret.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/file.h"
#include "server/records/mirrored_owners.h"
#include "trust/delegation.h"
#include "trust/signer.h"

namespace flox::server {
namespace {

// Another catalog on the same databases may have been quicker each time.
constexpr int most_attempts = 10;
constexpr std::chrono::minutes expiry_kept{10};
constexpr std::chrono::hours warned_again{24};
constexpr size_t most_warned = 20;  // files in one line of the log

template <typename T>
void check_header(const trust::Signed<T>& file, const std::string& owner, std::string_view what) {
  if (file.content.owner != owner)
    fail(ErrorKind::invalid_input, "{} is of {}, not of {}", what, file.content.owner, owner);
}

SignedBuilds signed_builds(const trust::NameFile& file, const std::string& text) {
  SignedBuilds result{.file = {.owner = file.owner,
                               .name = file.name,
                               .version = static_cast<int64_t>(file.version),
                               .document = text},
                      .listed = {}};
  for (const auto& [path, target] : file.targets)
    result.listed.emplace(path, SignedBuilds::Listed{.sha256 = target.sha256, .yanked = target.yanked});
  return result;
}

void require_online_key(const trust::Root& root, const nix::PublicKey& key) {
  const std::string id = trust::Key::of(key).id();
  if (root.timestamp.threshold == 1 &&
      std::ranges::find(root.timestamp.keyids, id) != root.timestamp.keyids.end())
    return;
  throw Error(
      ErrorKind::invalid_input,
      "root.json: its role timestamp does not name this catalog's online key, with threshold 1",
      fmt::format("Name the catalog's key, {}: run 'flox trust rotate {} timestamp', then 'flox trust "
                  "publish {}'.",
                  key.to_string(), root.owner, root.owner));
}

}  // namespace

nix::SecretKey read_or_make_online_key(const std::filesystem::path& file) {
  return in_context("the online key " + file.string(), [&] {
    if (!fs::exists(file)) {  // one that is there may lie where nothing can be written
      const FileLock lock(file.string() + ".lock", FileLock::Mode::exclusive);  // of several that start, one
      if (!fs::exists(file))
        write_file_synced(file, nix::SecretKey::generate("catalog").to_secret_text().reveal(), 0600);
    }
    return nix::SecretKey::parse(read_secret_file(file).reveal());
  });
}

// What is computed of one owner's files. One thread at a time has it.
struct TrustService::OwnerState {
  std::mutex mutex;
  int64_t changes = -1;             // of which the tree is
  TrustRecords::Versions versions;  // of what follows
  trust::MerkleTree tree;
  std::string targets;
  std::string timestamp;
  trust::Time renewal{};  // of the timestamp, well before it expires

  // Of the owner.
  trust::Evidence evidence(const std::string& owner) const {
    return {.owner = owner,
            .roots = {},
            .targets = targets,
            .timestamp = timestamp,
            .proof = {},
            .name_file = {}};
  }
  // Of a name in the tree.
  trust::Evidence evidence(StoredNameFile file) {
    trust::Evidence result = evidence(file.owner);
    result.proof = tree.proof(file.name).to_string();
    result.name_file = std::move(file.document);
    return result;
  }
};

TrustService::TrustService(TrustRecords& trust, const NameFiles& name_files, TrustOptions options)
    : trust_(trust), name_files_(name_files), options_(std::move(options)) {
  const std::string key = online_key().to_string();
  if (const std::string known = trust_.exchange_online_key(key); !known.empty() && known != key)
    log::warning(
        "timestamps were signed by {} so far, and this catalog signs by {}: nodes refuse that until each "
        "owner "
        "has named it (flox trust rotate OWNER timestamp). Catalogs that share a database need the same "
        "--online-key",
        known, key);
}
TrustService::~TrustService() = default;

Error TrustService::missing(const std::string& owner, std::string_view file, std::optional<int64_t> version) {
  if (version)
    return Error(ErrorKind::not_found,
                 fmt::format("the catalog has no {} of {} in version {}", file, owner, *version));
  return Error(
      ErrorKind::not_found, fmt::format("the catalog has no {} of {}", file, owner),
      fmt::format("Run 'flox trust init {}' and 'flox trust publish {}' to publish it.", owner, owner));
}

std::string TrustService::root(const std::string& owner, std::optional<int64_t> version) const {
  trust::check_owner(owner);
  auto text = trust_.root(owner, version);
  if (!text) throw missing(owner, "root.json", version);
  return std::move(*text);
}

std::string TrustService::targets(const std::string& owner) const {
  trust::check_owner(owner);
  auto text = trust_.targets(owner);
  if (!text) throw missing(owner, "targets.json");
  return std::move(*text);
}

bool TrustService::has_root(const std::string& owner) const { return trust_.versions(owner).root > 0; }

trust::Root TrustService::current_root(const std::string& owner) const {
  auto file = trust::Signed<trust::Root>::parse(root(owner), "root.json");
  trust::require_current(file.content, options_.clock(), "root.json");
  return std::move(file.content);
}

trust::Targets TrustService::current_targets(const std::string& owner) const {
  const trust::Root root = current_root(owner);
  auto file = trust::Signed<trust::Targets>::parse(targets(owner), "targets.json");
  trust::require_signers(file.message, file.signatures, root.keys, root.targets, "targets", "targets.json");
  trust::require_current(file.content, options_.clock(), "targets.json");
  return std::move(file.content);
}

void TrustService::refuse_mirrored(const std::string& owner) const {
  if (trust_.versions(owner).names > 0) throw mirrored_elsewhere(owner);
}

void TrustService::put_root(const std::string& owner, const std::string& text) {
  trust::check_owner(owner);
  refuse_mirrored(owner);
  const auto next = trust::Signed<trust::Root>::parse(text, "root.json");
  check_header(next, owner, "root.json");
  if (const auto present = trust_.root(owner)) {
    if (*present == text) return;  // once more, because the answer was lost
    const auto current = trust::Signed<trust::Root>::parse(*present, "root.json");
    if (next.content.version != current.content.version + 1)
      throw Error(ErrorKind::conflict,
                  fmt::format("root.json of {} has version {}, and the next is {}", owner,
                              next.content.version, current.content.version + 1),
                  "Read the present one again, and sign its next version.");
    trust::require_next_root(current, next);
  } else {
    trust::require_signers(next.message, next.signatures, next.content.keys, next.content.root, "root",
                           "root.json");
  }
  trust::require_current(next.content, options_.clock(), "root.json");
  require_online_key(next.content, online_key());
  trust_.put_root(owner, static_cast<int64_t>(next.content.version), text);
  log::info("root.json of {} is at version {}", owner, next.content.version);
}

void TrustService::put_targets(const std::string& owner, const std::string& text) {
  refuse_mirrored(owner);
  const trust::Root root = current_root(owner);
  const auto next = trust::Signed<trust::Targets>::parse(text, "targets.json");
  check_header(next, owner, "targets.json");
  const auto present = trust_.targets(owner);
  if (present && *present == text) return;
  trust::require_signers(next.message, next.signatures, root.keys, root.targets, "targets", "targets.json");
  trust::require_current(next.content, options_.clock(), "targets.json");
  // What today's keys have not signed counts no more: whoever had an old one may have put a version that
  // nobody reaches.
  std::optional<int64_t> instead_of;
  if (present) {
    const auto before = trust::Signed<trust::Targets>::parse(*present, "targets.json");
    if (trust::valid_signers(before.message, before.signatures, root.keys, root.targets).size() <
        root.targets.threshold)
      instead_of = static_cast<int64_t>(before.content.version);
  }
  trust_.put_targets(owner, static_cast<int64_t>(next.content.version), text, instead_of);
  log::info("targets.json of {} is at version {}", owner, next.content.version);
  published(owner);
}

struct TrustService::CheckedNameFile : trust::Signed<trust::NameFile> {
  std::string role;
  std::vector<std::string> signers;  // for people
};

TrustService::CheckedNameFile TrustService::check_name_file(const std::string& owner, const std::string& name,
                                                            const std::string& text) const {
  const trust::Targets targets = current_targets(owner);
  CheckedNameFile file{trust::Signed<trust::NameFile>::parse(text, "the name file"), {}, {}};
  check_header(file, owner, "the name file");
  if (file.content.name != name)
    fail(ErrorKind::invalid_input, "the name file is of {}, not of {}", file.content.name, name);
  trust::Delegation by = trust::require_delegation(targets, file);
  trust::require_current(file.content, options_.clock(), "the name file");
  file.role = std::move(by.role);
  for (const std::string& id : by.keyids) file.signers.push_back(trust::describe_key(id, targets.keys));
  return file;
}

// Says so before the records do (require_publishes_here), and before the signatures are looked at.
TrustService::CheckedNameFile TrustService::check_new_name_file(const std::string& owner,
                                                                const std::string& name,
                                                                const std::string& text) const {
  refuse_mirrored(owner);
  return check_name_file(owner, name, text);
}

std::optional<Standing> TrustService::standing(const std::string& owner, const std::string& name,
                                               std::optional<int64_t> version) const {
  const auto stored = name_files_.find(owner, name, version);
  if (!stored) return std::nullopt;
  Standing standing;
  try {
    CheckedNameFile file = check_name_file(owner, name, stored->document);
    if (trust_.versions(owner).names == 0)  // a mirrored owner's timestamps are its first catalog's
      require_online_key(current_root(owner), online_key());
    standing = {.file = std::move(file.content),
                .role = std::move(file.role),
                .signers = std::move(file.signers),
                .problem = {}};
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::internal) throw;
    standing.file = trust::Signed<trust::NameFile>::parse(stored->document, "the name file").content;
    standing.problem = error.what();
  }
  return standing;
}

SignedBuilds TrustService::check_build(const catalog::PackageBuild& build,
                                       const std::string& name_file) const {
  const std::string name = trust::package_name(build.name);
  const auto file = check_new_name_file(build.owner, name, name_file);
  const trust::PackageRecord record = catalog::record_of(build);
  const auto target = file.content.targets.find(record.target_path());
  trust::Target expected = record.to_target();
  if (target != file.content.targets.end()) expected.yanked = target->second.yanked;
  if (target == file.content.targets.end() || target->second != expected)
    fail(ErrorKind::invalid_input, "the name file does not list {} as it is published with it",
         record.target_path());
  return signed_builds(file.content, name_file);
}

SignedBuilds TrustService::check_yank(const std::string& owner, const std::string& package,
                                      const std::string& version, const std::optional<std::string>& reason,
                                      const std::string& name_file) const {
  const auto file = check_new_name_file(owner, trust::package_name(package), name_file);
  for (const auto& [path, target] : file.content.targets)
    if (path.starts_with(version + "/") && target.yanked != reason)
      fail(ErrorKind::invalid_input, "the name file does not say of {} what is asked for with it", path);
  return signed_builds(file.content, name_file);
}

SignedBuilds TrustService::check_removal(const std::string& owner, const std::string& package,
                                         const std::string& name_file) const {
  return signed_builds(check_new_name_file(owner, trust::package_name(package), name_file).content,
                       name_file);
}

StoredNameFile TrustService::check_generation(const std::string& owner, const std::string& environment,
                                              const Generation& generation,
                                              const std::string& name_file) const {
  const std::string name = trust::environment_name(environment);
  const auto file = check_new_name_file(owner, name, name_file);
  const trust::EnvironmentRecord record{.owner = owner,
                                        .name = environment,
                                        .generation = file.content.version,
                                        .manifest = generation.manifest,
                                        .lock = generation.lock.to_string()};
  if (file.content.targets != record.to_targets())
    fail(ErrorKind::invalid_input, "the name file is of another manifest or lock than is pushed with it");
  return {.owner = owner,
          .name = name,
          .version = static_cast<int64_t>(file.content.version),
          .document = name_file};
}

std::shared_ptr<TrustService::OwnerState> TrustService::state_of(const std::string& owner) const {
  const std::scoped_lock lock(mutex_);
  auto& state = states_[owner];
  if (!state) state = std::make_shared<OwnerState>();
  return state;
}

void TrustService::bring_up_to_date(const std::string& owner, OwnerState& state) const {
  const TrustRecords::Versions versions = trust_.versions(owner);
  const int64_t changes = name_files_.changes(owner);
  if (versions == state.versions && changes == state.changes && options_.clock() < state.renewal) return;
  if (versions.names > 0) return take_mirrored(owner, state);
  state.changes = -1;  // what fails on the way is done again: tree and timestamp must be of one moment
  // The count was read before what it counts: what changes meanwhile is read once more.
  for (const NameState& name : name_files_.latest(owner)) {
    trust::Leaf leaf{
        .name = name.name, .version = static_cast<uint64_t>(name.version), .sha256 = name.sha256};
    const auto known = state.tree.leaves().find(name.name);
    if (known == state.tree.leaves().end() || known->second != leaf) state.tree.put(std::move(leaf));
  }
  state.targets = targets(owner);
  sign_timestamp(owner, state);
  state.changes = changes;
}

// Whoever mirrors it replaces all of it at once, so what is read between two equal versions is of one moment.
void TrustService::take_mirrored(const std::string& owner, OwnerState& state) const {
  for (int attempt = 1;; ++attempt) {
    const TrustRecords::Versions versions = trust_.versions(owner);
    state.changes = name_files_.changes(owner);
    const auto text = trust_.names(owner);
    if (!text) fail(ErrorKind::unavailable, "{} is not mirrored any more", owner);
    trust::NameTree names = trust::NameTree::parse(*text, "the tree of names");
    state.tree = trust::MerkleTree(names.entries);
    state.timestamp = std::move(names.timestamp);
    state.targets = targets(owner);
    state.renewal = trust::Time::max();  // not ours to renew
    state.versions = trust_.versions(owner);
    if (state.versions == versions) return;
    if (attempt == most_attempts) fail(ErrorKind::unavailable, "{} changes all the time", owner);
  }
}

// Or takes the one that is there, if it says the same and is young enough: a restart changes nothing.
void TrustService::sign_timestamp(const std::string& owner, OwnerState& state) const {
  const trust::Time now = options_.clock();
  const auto renew_before = options_.timestamp_life / 2;  // expiry
  const auto signer = trust::Signer::of(options_.online_key);
  const trust::Key key = trust::Key::of(online_key());
  for (int attempt = 1;; ++attempt) try {
      trust::Timestamp wanted;
      wanted.owner = owner;
      wanted.root_version = trust::Signed<trust::Root>::parse(root(owner), "root.json").content.version;
      wanted.targets_version =
          trust::Signed<trust::Targets>::parse(state.targets, "targets.json").content.version;
      wanted.merkle_root = state.tree.root();
      wanted.merkle_leaves = state.tree.size();
      const auto present = trust_.timestamp(owner);
      if (present) {
        auto file = trust::Signed<trust::Timestamp>::parse(present->document, "timestamp.json");
        wanted.version = file.content.version;
        wanted.expires = file.content.expires;
        if (file.content.to_json() == wanted.to_json() && wanted.expires - renew_before > now &&
            wanted.expires <= now + options_.timestamp_life) {
          state.timestamp = present->document;
          state.renewal = wanted.expires - renew_before;
          break;
        }
        ++wanted.version;
      }
      wanted.expires = now + options_.timestamp_life;
      auto file = trust::Signed<trust::Timestamp>::of(wanted);
      file.add(signer->sign(file.message, {{key.id(), key}}).value());
      std::string document = file.to_string();
      trust_.put_timestamp(owner, {.version = static_cast<int64_t>(wanted.version), .document = document});
      state.timestamp = std::move(document);
      state.renewal = wanted.expires - renew_before;
      break;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::conflict || attempt == most_attempts) throw;
    }
  state.versions = trust_.versions(owner);
}

std::optional<trust::Evidence> TrustService::evidence(const std::string& owner, const std::string& name,
                                                      std::optional<int64_t> generation) const {
  const TrustRecords::Versions versions = trust_.versions(owner);
  if (versions.root == 0 || versions.targets == 0) return std::nullopt;
  const std::shared_ptr<OwnerState> state = state_of(owner);
  const bool is_package = name.starts_with(trust::package_name(""));
  for (int attempt = 1;; ++attempt) {
    const std::scoped_lock lock(state->mutex);
    bring_up_to_date(owner, *state);
    const auto leaf = state->tree.leaves().find(name);
    if (leaf == state->tree.leaves().end())
      return generation ? std::nullopt : std::optional(state->evidence(owner));
    auto file = name_files_.find(owner, name, is_package ? std::nullopt : generation);
    if (!file && (generation || state->versions.names > 0)) return std::nullopt;  // not all is mirrored
    if (!generation && (!file || file->version != static_cast<int64_t>(leaf->second.version))) {
      if (attempt < most_attempts) continue;  // the next one came between the tree and this
      fail(ErrorKind::unavailable, "{} of {} changes all the time", name, owner);
    }
    return state->evidence(*std::move(file));
  }
}

std::map<std::string, trust::Evidence> TrustService::evidence_of_packages(
    const std::string& owner, const std::vector<std::string>& names) const {
  const TrustRecords::Versions versions = trust_.versions(owner);
  if (versions.root == 0 || versions.targets == 0) return {};
  const std::shared_ptr<OwnerState> state = state_of(owner);
  for (int attempt = 1;; ++attempt) {
    const std::scoped_lock lock(state->mutex);
    bring_up_to_date(owner, *state);
    std::map<std::string, trust::Evidence> result;
    for (auto& [name, file] : name_files_.of_packages(owner, names)) {
      const auto leaf = state->tree.leaves().find(name);
      if (leaf != state->tree.leaves().end() && file.version == static_cast<int64_t>(leaf->second.version))
        result.emplace(name, state->evidence(std::move(file)));
    }
    const bool is_mirrored = state->versions.names > 0;  // then not all need be here
    const bool is_whole = std::ranges::all_of(names, [&](const std::string& name) {
      return result.contains(name) || !state->tree.leaves().contains(name);
    });
    if (is_mirrored || is_whole) return result;
    // The next file of one of them came between the tree and the files.
    if (attempt == most_attempts) fail(ErrorKind::unavailable, "the names of {} change all the time", owner);
  }
}

trust::NameTree TrustService::names(const std::string& owner,
                                    const std::function<bool(const std::string& name)>& visible) const {
  targets(owner);  // says what is missing
  const std::shared_ptr<OwnerState> state = state_of(owner);
  const std::scoped_lock lock(state->mutex);
  bring_up_to_date(owner, *state);
  return {.owner = owner, .timestamp = state->timestamp, .entries = state->tree.entries(visible)};
}

void TrustService::published(const std::string& owner) const {
  if (trust_.versions(owner).targets == 0) return;
  const std::shared_ptr<OwnerState> state = state_of(owner);
  const std::scoped_lock lock(state->mutex);
  bring_up_to_date(owner, *state);
}

TrustService::FirstExpiry TrustService::first_expiry() {
  const std::scoped_lock lock(expiry_mutex_);
  const trust::Time now = options_.clock();
  if (expiry_read_ != trust::Time{} && now < expiry_read_ + expiry_kept) return first_expiry_;
  FirstExpiry first;
  std::vector<std::string> soon;
  trust_.each_newest([&](const TrustRecords::OwnersFile& file) {
    const trust::Header header =
        file.is_root
            ? trust::Header(trust::Signed<trust::Root>::parse(file.document, "root.json").content)
            : trust::Header(trust::Signed<trust::Targets>::parse(file.document, "targets.json").content);
    auto& earliest = file.is_root ? first.root : first.targets;
    earliest = std::min(earliest.value_or(header.expires), header.expires);
    if (trust::expires_soon(header, now) && soon.size() < most_warned)
      soon.push_back(fmt::format("{} of {} at {}", file.is_root ? "root.json" : "targets.json", file.owner,
                                 trust::time_text(header.expires)));
  });
  if (!soon.empty() && now >= expiry_warned_ + warned_again) {
    log::warning(
        "metadata expires soon, or has expired; nodes accept nothing of its owner then: {}. Their owners "
        "renew it: flox trust renew OWNER, flox trust publish OWNER",
        fmt::join(soon, ", "));
    expiry_warned_ = now;
  }
  expiry_read_ = now;
  first_expiry_ = first;
  return first;
}

int64_t TrustService::changes() const { return name_files_.changes(); }

}  // namespace flox::server
