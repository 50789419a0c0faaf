#include "trust/trust_store.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <deque>
#include <mutex>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "trust/members.h"
#include "trust/names.h"
#include "trust/own_files.h"

namespace flox::trust {
namespace {

constexpr size_t most_owners = 10'000;
constexpr size_t most_patterns_bytes = 64 << 10;
constexpr size_t most_anchors = 64;
constexpr JsonLimits anchors_limits{.bytes = 16 << 10, .depth = 3, .values = 200};
constexpr const char* root_file = "root.json";
constexpr const char* anchors_file = "anchors.json";
constexpr const char* seen_note = "seen";
constexpr const char* names_directory = "names";
constexpr const char* packages_file = "packages";

[[noreturn]] void fail_unknown_owner(std::string_view owner, const std::filesystem::path& directory) {
  throw Error(
      ErrorKind::untrusted,
      fmt::format("the owner '{}' is not trusted: there is no {}", owner,
                  (directory / owner / root_file).string()),
      fmt::format("Ask the owner for the fingerprint of their root, then run '{}'.", accept_command(owner)));
}

// The owner's directory, if a root of theirs was accepted.
std::optional<Directory> trusted_owner(const std::filesystem::path& trust_directory, std::string_view owner) {
  check_owner(owner);
  const auto all = own_directory(trust_directory);
  auto directory = all ? own_subdirectory(*all, owner) : std::nullopt;
  if (directory && !directory->exists(root_file)) directory.reset();
  return directory;
}

std::string anchors_text(const std::vector<std::string>& anchors) {
  return nlohmann::json{{"anchors", anchors}}.dump() + "\n";
}

std::vector<std::string> anchors_of(std::string_view text, const std::string& name) {
  const nlohmann::json document = parse_json(text, name, anchors_limits);
  return in_context(name, [&] {
    Members members(document);
    std::vector<std::string> anchors = members.texts("anchors", most_anchors);
    members.end();
    return anchors;
  });
}

// Numbers with a space between them, from a note.
template <size_t count>
std::array<uint64_t, count> numbers_in(const std::optional<std::string>& note, const std::string& name) {
  std::array<uint64_t, count> numbers{};
  if (!note) return numbers;
  const char* at = note->data();
  const char* const end = at + note->size();
  for (size_t i = 0; i < count; ++i) {
    if (i > 0 && at != end && *at == ' ') ++at;
    const auto [next, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc() || (i + 1 == count && next != end))
      throw Error(ErrorKind::internal, fmt::format("{} has no versions", name),
                  "Remove it: the catalog's next answer writes it anew.");
    at = next;
  }
  return numbers;
}

std::string note_of(std::string_view name) {
  check_name(name);
  return fmt::format("{}/{}", names_directory, name);
}

// The roots of the last texts. A catalog answers 40 questions with one owner's files, and each answer's root
// is read twice: parsing it anew was 10 of the 55 ms of processor time that locking 40 packages takes.
class ParsedRoots {
 public:
  Signed<Root> get(const std::string& text, const std::string& name) {
    {
      const std::lock_guard lock(mutex_);
      const auto found = std::ranges::find(roots_, text, &Entry::text);
      if (found != roots_.end()) return found->root;
    }
    auto root = Signed<Root>::parse(text, name);
    const std::lock_guard lock(mutex_);
    if (roots_.size() == most) roots_.pop_front();
    roots_.push_back({.text = text, .root = root});
    return root;
  }

 private:
  static constexpr size_t most = 8;
  struct Entry {
    std::string text;
    Signed<Root> root;
  };
  std::mutex mutex_;
  std::deque<Entry> roots_;
};

Signed<Root> parse_root(const std::string& text, std::string_view owner, const std::string& name) {
  static ParsedRoots parsed;
  auto root = parsed.get(text, name);
  if (root.content.owner != owner)
    fail(ErrorKind::untrusted, "{} is of the owner '{}', not of '{}'", name, root.content.owner, owner);
  return root;
}

void require_own_signatures(const Signed<Root>& root) {
  require_signers(root.message, root.signatures, root.content.keys, root.content.root, "root",
                  fmt::format("root.json of {} version {}", root.content.owner, root.content.version));
}

// The two directories of one owner, as far as they exist, and what stands in them.
struct OwnerFiles {
  std::optional<Directory> trusted, kept;
  std::optional<Signed<Root>> anchor;
  std::vector<std::string> anchors;  // empty: what is kept does not belong to the anchor
  Seen seen;
  std::optional<Signed<Root>> newer;

  OwnerFiles(const std::filesystem::path& trust_directory, const std::filesystem::path& state_directory,
             std::string_view owner) {
    check_owner(owner);
    if (const auto all = own_directory(trust_directory)) trusted = own_subdirectory(*all, owner);
    if (const auto all = own_directory(state_directory)) kept = own_subdirectory(*all, owner);
    if (!trusted) return;
    const auto text = read_own_file(*trusted, root_file, root_limits.bytes);
    if (!text) return;
    anchor = parse_root(*text, owner, fmt::format("{}/{}", trusted->name(), root_file));
    if (!kept) return;
    const auto known = read_own_file(*kept, anchors_file, anchors_limits.bytes);
    if (!known) return;
    auto read = anchors_of(*known, fmt::format("{}/{}", kept->name(), anchors_file));
    if (std::ranges::find(read, fingerprint_of(*anchor)) == read.end()) return;
    anchors = std::move(read);
    const auto versions =
        numbers_in<2>(read_note(*kept, seen_note), fmt::format("{}/{}", kept->name(), seen_note));
    seen = {.timestamp = versions[0], .targets = versions[1]};
    if (const auto chained = read_own_file(*kept, root_file, root_limits.bytes))
      newer = parse_root(*chained, owner, fmt::format("{}/{}", kept->name(), root_file));
  }

  // Of the name's file; 0: none was seen.
  uint64_t seen_version(std::string_view name) const {
    const std::string note = note_of(name);
    if (anchors.empty()) return 0;
    return numbers_in<1>(read_note(*kept, note), fmt::format("{}/{}", kept->name(), note))[0];
  }

  const Signed<Root>& root() const {
    return newer && newer->content.version > anchor->content.version ? *newer : *anchor;
  }
};

// The owner's directory of state, locked, and emptied of what belongs to another anchor.
struct LockedState {
  std::filesystem::path path;
  FileLock lock;
  OwnerFiles files;

  LockedState(const std::filesystem::path& trust_directory, const std::filesystem::path& state_directory,
              std::string_view owner)
      : path(make_own_directory(state_directory / owner).name()),
        lock(path / "lock", FileLock::Mode::exclusive),
        files(trust_directory, state_directory, owner) {
    if (!files.anchor) fail_unknown_owner(owner, trust_directory);
    if (!files.anchors.empty()) return;
    for (const char* old : {names_directory, seen_note, root_file}) files.kept->remove(old);
    add_anchor(fingerprint_of(*files.anchor));
  }
  void add_anchor(const std::string& fingerprint) {
    if (std::ranges::find(files.anchors, fingerprint) != files.anchors.end()) return;
    files.anchors.push_back(fingerprint);
    if (files.anchors.size() > most_anchors) files.anchors.erase(files.anchors.begin());
    files.kept->write_file(anchors_file, anchors_text(files.anchors));
  }
  void write_seen(const Seen& seen) const {
    write_note(*files.kept, seen_note, fmt::format("{} {}", seen.timestamp, seen.targets));
  }
  // Of what was seen under the root that is in force, all that counts no more under `after`.
  void forget_before(const Root& after) const {
    const Root& before = files.root().content;
    if (const Seen seen = seen_after(files.seen, before, after); seen != files.seen) write_seen(seen);
    if (forgets_names(before, after)) files.kept->remove(names_directory);
  }
};

}  // namespace

bool forgets_names(const Root& before, const Root& after) {
  return before.timestamp.keyids != after.timestamp.keyids;
}

Seen seen_after(Seen seen, const Root& before, const Root& after) {
  if (forgets_names(before, after)) seen.timestamp = 0;
  if (before.targets.keyids != after.targets.keyids) seen.targets = 0;
  return seen;
}

std::string fingerprint_of(const Signed<Root>& root) { return to_hex(bytes_of(sha256(root.message))); }

void require_next_root(const Signed<Root>& current, const Signed<Root>& next) {
  const std::string what =
      fmt::format("root.json of {} version {}", next.content.owner, next.content.version);
  if (next.content.owner != current.content.owner)
    fail(ErrorKind::untrusted, "{}: it is of another owner than version {}, which is of {}", what,
         current.content.version, current.content.owner);
  if (next.content.version != current.content.version + 1)
    fail(ErrorKind::untrusted, "{}: it does not follow version {}", what, current.content.version);
  require_signers(next.message, next.signatures, current.content.keys, current.content.root,
                  fmt::format("root of version {}", current.content.version), what);
  require_own_signatures(next);
}

TrustStore::TrustStore(std::filesystem::path trust_directory, std::filesystem::path state_directory)
    : trust_directory_(std::filesystem::absolute(trust_directory)),
      state_directory_(std::filesystem::absolute(state_directory)) {}

std::vector<std::string> TrustStore::owners() const {
  std::vector<std::string> result;
  const auto all = own_directory(trust_directory_);
  if (!all) return result;
  for (const std::string& name : all->names(most_owners))
    // A name with a dot in front is a directory that `flox trust init` has not completed.
    if (!name.starts_with('.') && all->exists(fmt::format("{}/{}", name, root_file))) result.push_back(name);
  return result;
}

bool TrustStore::trusts(std::string_view owner) const {
  check_owner(owner);
  const auto all = own_directory(trust_directory_);
  return all && all->exists(fmt::format("{}/{}", owner, root_file));
}

std::vector<std::string> TrustStore::package_patterns(std::string_view owner) const {
  const auto directory = trusted_owner(trust_directory_, owner);
  if (!directory) fail_unknown_owner(owner, trust_directory_);
  const auto text = read_own_file(*directory, packages_file, most_patterns_bytes);
  if (!text) return {"*"};
  std::vector<std::string> patterns;
  std::string_view rest = *text;
  for (size_t line = 1; !rest.empty(); ++line) {
    const size_t end = rest.find('\n');
    const std::string_view pattern = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (pattern.empty() || pattern.starts_with('#')) continue;
    in_context(fmt::format("{}/{}:{}:1", directory->name(), packages_file, line),
               [&] { check_pattern(package_name(pattern)); });
    patterns.emplace_back(pattern);
  }
  return patterns;
}

std::vector<std::string> TrustStore::owners_of_package(std::string_view package) const {
  const std::string name = package_name(package);
  std::vector<std::string> result;
  for (const std::string& owner : owners())
    for (const std::string& pattern : package_patterns(owner))
      if (matches(package_name(pattern), name)) {
        result.push_back(owner);
        break;
      }
  return result;
}

void TrustStore::require_package(std::string_view owner, std::string_view package) const {
  const std::string name = package_name(package);
  for (const std::string& pattern : package_patterns(owner))
    if (matches(package_name(pattern), name)) return;
  throw Error(ErrorKind::untrusted,
              fmt::format("the owner '{}' is not trusted for the package {}", owner, package),
              fmt::format("Add a pattern that covers it to {} if it is to be.",
                          (trust_directory_ / owner / packages_file).string()));
}

Signed<Root> TrustStore::root(std::string_view owner) const {
  const OwnerFiles files(trust_directory_, state_directory_, owner);
  if (!files.anchor) fail_unknown_owner(owner, trust_directory_);
  return files.root();
}

uint64_t TrustStore::root_version(std::string_view owner) const {
  const OwnerFiles files(trust_directory_, state_directory_, owner);
  return files.anchor ? files.root().content.version : 0;
}

void TrustStore::accept(std::string_view owner, const std::vector<std::string>& chain,
                        const std::vector<std::string>& packages) {
  check_owner(owner);
  if (chain.empty()) fail(ErrorKind::invalid_input, "there is no root to accept");
  for (const std::string& pattern : packages) check_pattern(package_name(pattern));
  std::vector<Signed<Root>> roots;
  for (const std::string& text : chain) {
    roots.push_back(parse_root(text, owner, "root.json"));
    if (roots.size() > 1) require_next_root(roots[roots.size() - 2], roots.back());
  }
  const Signed<Root>& accepted = roots.back();
  require_own_signatures(accepted);

  const Directory all = make_own_directory(trust_directory_);
  const FileLock lock(trust_directory_ / "lock", FileLock::Mode::exclusive);
  const OwnerFiles files(trust_directory_, state_directory_, owner);
  std::optional<LockedState> state;
  if (files.anchor) {
    state.emplace(trust_directory_, state_directory_, owner);
    const Signed<Root>& trusted = state->files.root();
    const Root& old = trusted.content;
    if (old.version > accepted.content.version)
      fail(ErrorKind::conflict,
           "version {} of the root of {} is older than version {}, which is trusted here",
           accepted.content.version, owner, old.version);
    if (roots.front().content.version > old.version + 1)
      throw Error(
          ErrorKind::conflict,
          fmt::format("version {} of the root of {} is trusted here, and version {} does not follow it",
                      old.version, owner, roots.front().content.version),
          "Pass the versions between them, too, ascending.");
    const auto same = std::ranges::find_if(
        roots, [&](const Signed<Root>& root) { return root.content.version == old.version; });
    const bool continues = same != roots.end() ? same->message == trusted.message
                                               : roots.front().content.version == old.version + 1;
    const auto refuse = [&](std::string_view why) {
      throw Error(ErrorKind::conflict,
                  fmt::format("another root of {} is trusted here (version {}, fingerprint {}): {}", owner,
                              old.version, fingerprint_of(trusted), why),
                  fmt::format("Ask the owner why. To trust the new one instead, remove {} first.",
                              (trust_directory_ / owner / root_file).string()));
    };
    if (!continues) refuse("the new one does not come of its chain");
    if (same == roots.end()) try {
        require_next_root(trusted, roots.front());
      } catch (const Error& error) {
        refuse(error.what());
      }
    // Written before the anchor: both belong to one chain, so that what was seen stays seen.
    state->add_anchor(fingerprint_of(accepted));
    state->forget_before(accepted.content);
  }
  const Directory directory = all.make_directory(owner);
  if (!packages.empty()) {
    std::string text;
    for (const std::string& pattern : packages) text += pattern + "\n";
    directory.write_file(packages_file, text);
  }
  write_file_synced(trust_directory_ / owner / root_file, accepted.to_string());
}

Signed<Root> TrustStore::update_root(std::string_view owner, const std::vector<std::string>& chain, Time now,
                                     bool keep) {
  const auto follow = [&](Signed<Root> current) {
    for (const std::string& text : chain) {
      auto next = parse_root(text, owner, "root.json of the catalog");
      if (next.content.version <= current.content.version) continue;
      require_next_root(current, next);
      current = std::move(next);
    }
    require_current(current.content, now, root_file);
    return current;
  };
  const Signed<Root> before = root(owner);
  Signed<Root> newest = follow(before);
  if (!keep || newest.content.version == before.content.version) return newest;
  LockedState state(trust_directory_, state_directory_, owner);
  newest = follow(state.files.root());  // of two that race the newest stays
  state.forget_before(newest.content);
  state.files.kept->write_file(root_file, newest.to_string());
  return newest;
}

Seen TrustStore::seen(std::string_view owner) const {
  return OwnerFiles(trust_directory_, state_directory_, owner).seen;
}

TrustStore::Known TrustStore::known(std::string_view owner, std::string_view name) const {
  const OwnerFiles files(trust_directory_, state_directory_, owner);
  if (!files.anchor) fail_unknown_owner(owner, trust_directory_);
  return {.root = files.root(), .seen = files.seen, .name_version = files.seen_version(name)};
}

void TrustStore::remember(std::string_view owner, uint64_t root, const Seen& seen, std::string_view name,
                          uint64_t name_version) {
  const std::string note = note_of(name);
  LockedState state(trust_directory_, state_directory_, owner);
  if (state.files.root().content.version != root) return;
  const Directory& kept = *state.files.kept;
  const Seen before = state.files.seen;
  const Seen after{.timestamp = std::max(before.timestamp, seen.timestamp),
                   .targets = std::max(before.targets, seen.targets)};
  if (after != before) state.write_seen(after);
  if (state.files.seen_version(name) >= name_version) return;
  kept.make_directory(note.substr(0, note.rfind('/')));
  write_note(kept, note, fmt::format("{}", name_version));
}

}  // namespace flox::trust
