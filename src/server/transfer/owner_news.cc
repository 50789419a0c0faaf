#include "server/transfer/owner_news.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/printable.h"
#include "catalog/answer_verifier.h"
#include "server/records/clock.h"
#include "server/records/records.h"
#include "server/records/trust_records.h"
#include "trust/verifier.h"

namespace flox::server {
namespace {

constexpr int most_readings = 5;  // while somebody publishes there

// What was read is not of one moment: it is read again.
struct Moved {};

class OwnerReader {
 public:
  OwnerReader(const MirrorWish& wish, const MirrorSource& from, Database& here)
      : wish_(wish),
        from_(from),
        here_(here),
        name_files_(here),
        trust_records_(here),
        verifier_(from.trust) {}

  OwnerNews run() {
    for (int reading = 1;; ++reading) try {
        is_last_reading_ = reading == most_readings;
        read();
        return std::move(result_);
      } catch (const Moved&) {
        if (is_last_reading_) throw does_not_fit(wish_.owner);
      }
  }

 private:
  static Error does_not_fit(const std::string& what) {
    return Error(ErrorKind::unavailable,
                 fmt::format("the catalog's answers about {} do not fit together", what),
                 "Try again later: somebody publishes there all the time, or it holds something back.");
  }

  // Everything that has changed, verified.
  void read() {
    result_ = {.mirrored = {.owner = wish_.owner}};
    auto names = from_.client.names(wish_.owner);
    if (!names)
      throw Error(ErrorKind::not_found, fmt::format("the catalog has no public metadata of {}", wish_.owner),
                  "Check the owner's name and the catalog's URL.");
    if (names->owner != wish_.owner)
      fail(ErrorKind::untrusted, "the catalog has sent the names of {}", names->owner);
    tree_ = trust::MerkleTree(names->entries);
    auto targets = from_.client.targets(wish_.owner);
    if (!targets) throw Moved();
    evidence_ = {.owner = wish_.owner,
                 .roots = {},
                 .targets = std::move(*targets),
                 .timestamp = names->timestamp,
                 .proof = {},
                 .name_file = {}};
    const auto stamp = trust::Signed<trust::Timestamp>::parse(names->timestamp, "timestamp.json").content;
    const auto version =
        trust::Signed<trust::Targets>::parse(evidence_.targets, "targets.json").content.version;
    if (version != stamp.targets_version) throw Moved();
    result_.expires = stamp.expires;
    evidence_ = catalog::with_newer_roots(
        std::move(evidence_), from_.trust,
        [&](const std::string& owner, uint64_t root) { return from_.client.root(owner, root); });
    if (!evidence_.roots.empty()) {
      from_.trust.update_root(wish_.owner, evidence_.roots, trust::now());
      evidence_.roots.clear();  // once is enough
    }
    read_roots(stamp.root_version);
    result_.mirrored.targets = {static_cast<int64_t>(version), evidence_.targets};
    result_.mirrored.names = {static_cast<int64_t>(stamp.version), names->to_string()};
    read_names();
  }

  // From the first: a node may trust any of them. Each is signed by the one before, up to the one that is in
  // force here.
  void read_roots(uint64_t newest) {
    std::optional<trust::Signed<trust::Root>> before;
    for (uint64_t version = 1; version <= newest; ++version) {
      auto text = trust_records_.root(wish_.owner, static_cast<int64_t>(version));
      if (!text) text = from_.client.root(wish_.owner, version);
      if (!text) throw Moved();
      auto root = trust::Signed<trust::Root>::parse(*text, "root.json");
      if (before)
        trust::require_next_root(*before, root);
      else if (root.content.version != 1 || root.content.owner != wish_.owner)
        fail(ErrorKind::untrusted, "the catalog has sent another root.json than the first of {}",
             wish_.owner);
      result_.mirrored.roots.emplace_back(static_cast<int64_t>(version), std::move(*text));
      before = std::move(root);
    }
    if (from_.trust.root_version(wish_.owner) > newest) throw Moved();
    const auto trusted = from_.trust.root(wish_.owner);
    if (trusted.content.version <= result_.mirrored.roots.size() &&
        trust::Signed<trust::Root>::parse(result_.mirrored.roots[trusted.content.version - 1].second,
                                          "root.json")
                .message != trusted.message)
      fail(ErrorKind::untrusted, "root.json of {} version {} is not the one that is trusted here",
           wish_.owner, trusted.content.version);
  }

  bool is_wanted(const std::string& name) const {
    return wish_.patterns.empty() || std::ranges::any_of(wish_.patterns, [&](const std::string& pattern) {
             return trust::matches(pattern, name);
           });
  }

  void read_names() {
    const bool is_known = trust_records_.versions(wish_.owner).names > 0;
    std::map<std::string, NameState> known;
    if (is_known)
      for (NameState& state : name_files_.latest(wish_.owner)) known.emplace(state.name, state);
    size_t wanted = 0;
    for (const auto& [name, leaf] : tree_.leaves()) {
      const auto present = known.find(name);
      if (!is_wanted(name) && present == known.end()) continue;
      ++wanted;
      const bool is_same = present != known.end() && present->second.sha256 == leaf.sha256;
      const int64_t known_version = present == known.end() ? 0 : present->second.version;
      try {
        read_name(leaf, is_same, known_version);
      } catch (const Moved&) {
        if (!is_last_reading_) throw;
        result_.left_out.emplace_back(name, does_not_fit(name));
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::unavailable) throw;
        result_.left_out.emplace_back(name, error);
      }
    }
    if (!result_.left_out.empty() && (!is_known || result_.left_out.size() == wanted)) {
      const auto& [name, error] = result_.left_out.front();
      in_context(name, [&] { throw Error(error); });
    }
    for (const auto& [name, state] : known)
      if (!tree_.leaves().contains(name)) result_.mirrored.gone.push_back(name);
    if (wanted == 0)
      throw Error(ErrorKind::not_found, fmt::format("{} has nothing public that is asked for", wish_.owner),
                  "Name it as OWNER, OWNER/packages/PATTERN or OWNER/environments/PATTERN.");
  }

  void read_name(const trust::Leaf& leaf, bool is_same, int64_t known_version) {
    trust::Evidence evidence = evidence_;
    evidence.proof = tree_.proof(leaf.name).to_string();
    const std::string packages = trust::package_name("");
    if (leaf.name.starts_with(packages))
      read_package(std::move(evidence), leaf, leaf.name.substr(packages.size()), is_same);
    else {
      const std::string environment = leaf.name.substr(trust::environment_name("").size());
      note_generations(leaf.name, environment);
      read_environment(evidence, leaf, environment,
                       is_same ? static_cast<int64_t>(leaf.version) : known_version);
    }
  }

  void note_generations(const std::string& name, const std::string& environment) {
    const EnvironmentRecords environments(here_);
    for (const auto& one :
         environments.generations(wish_.owner, environment, std::numeric_limits<int64_t>::max()))
      if (const auto generation = environments.find(wish_.owner, environment, one.number))
        for (const auto& package : generation->lock.packages)
          result_.present[name].merge(package.store_paths());
  }

  // What is here already is verified again: with the new timestamp.
  void read_package(trust::Evidence evidence, const trust::Leaf& leaf, const std::string& package,
                    bool is_same) {
    if (is_same) {
      evidence.name_file = name_files_.find(wish_.owner, leaf.name)->document;
      verifier_.verify_package_file(evidence, package);
      for (const auto& build : Records(here_).builds(package))
        for (const auto& [output, path] : build.outputs) result_.present[leaf.name].insert(path);
      return;
    }
    auto now = from_.client.evidence(wish_.owner, leaf.name);
    if (!now || to_hex(bytes_of(sha256(now->name_file))) != leaf.sha256) throw Moved();
    evidence.name_file = std::move(now->name_file);
    const auto verified = verifier_.verify_package_file(evidence, package);
    MirroredPackage mirrored{.file = stored(leaf.name, leaf.version, evidence.name_file), .builds = {}};
    std::set<std::string> listed;
    for (catalog::PackageBuild& build : from_.client.show(package)) {
      const trust::PackageRecord record = catalog::record_of(build);
      if (!verified.file.targets.contains(record.target_path())) continue;
      build.yanked = verified.of(record).yanked;
      build.owner = wish_.owner;
      listed.insert(record.target_path());
      for (const auto& [output, path] : build.outputs) result_.paths[leaf.name].insert(path);
      mirrored.builds.push_back(std::move(build));
    }
    if (listed.size() != verified.file.targets.size()) throw Moved();
    result_.mirrored.packages.push_back(std::move(mirrored));
  }

  void read_environment(trust::Evidence evidence, const trust::Leaf& leaf, const std::string& environment,
                        int64_t known_version) {
    const auto newest = static_cast<int64_t>(leaf.version);
    if (known_version < newest) {
      // First: that the owner has signed it says how many others there may be.
      if (!read_generation(evidence, leaf, environment, newest)) throw Moved();
      for (int64_t number = newest - 1; number > known_version; --number)
        if (!read_generation(evidence, leaf, environment, number)) ++result_.removed_generations;
      return;
    }
    const auto generation = EnvironmentRecords(here_).find(wish_.owner, environment, newest);
    const auto file = name_files_.find(wish_.owner, leaf.name, newest);
    if (!generation || !file) fail(ErrorKind::internal, "generation {} has gone", newest);
    evidence.name_file = file->document;
    verify(evidence, environment, *generation);
  }

  void verify(const trust::Evidence& evidence, const std::string& environment, const Generation& generation) {
    verifier_.verify_environment(evidence, {.owner = wish_.owner,
                                            .name = environment,
                                            .generation = static_cast<uint64_t>(generation.number),
                                            .manifest = generation.manifest,
                                            .lock = generation.lock.to_string(),
                                            .latest = false});
  }

  // False if the catalog does not have it: retention may have removed any but the latest, which the tree
  // lists. What hides an older one makes nobody take another in its place.
  bool read_generation(trust::Evidence evidence, const trust::Leaf& leaf, const std::string& environment,
                       int64_t number) {
    const bool is_latest = static_cast<uint64_t>(number) == leaf.version;
    auto found = find_generation({.owner = wish_.owner, .name = environment, .generation = number});
    if (!found) return false;
    catalog::Pushed& pushed = *found;
    if (!pushed.evidence) {
      // From before the owner had a root.
      if (is_latest) throw Moved();
      ++result_.unsigned_generations;
      return true;
    }
    evidence.name_file = pushed.evidence->name_file;
    if (is_latest && to_hex(bytes_of(sha256(evidence.name_file))) != leaf.sha256) throw Moved();
    Generation generation{
        .number = number,
        .manifest = std::move(pushed.manifest),
        .lock = std::move(pushed.lock),
        .pushed_at = pushed.pushed_at.empty() ? now_rfc3339() : printable(pushed.pushed_at, 40)};
    verify(evidence, environment, generation);
    for (const auto& package : generation.lock.packages)
      for (const nix::StorePath& path : package.store_paths())
        if (from_.cache.query(path))
          result_.paths[leaf.name].insert(path);  // others come from other caches, there as here
    result_.mirrored.generations.push_back(
        {.file = stored(leaf.name, static_cast<uint64_t>(number), evidence.name_file),
         .environment = environment,
         .generation = std::move(generation)});
    return true;
  }

  std::optional<catalog::Pushed> find_generation(const catalog::EnvironmentName& name) {
    try {
      return from_.client.environment(name);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      return std::nullopt;
    }
  }

  StoredNameFile stored(const std::string& name, uint64_t version, const std::string& document) const {
    return {
        .owner = wish_.owner, .name = name, .version = static_cast<int64_t>(version), .document = document};
  }

  const MirrorWish& wish_;
  const MirrorSource& from_;
  Database& here_;
  NameFiles name_files_;
  TrustRecords trust_records_;
  trust::Verifier verifier_;
  trust::MerkleTree tree_;
  trust::Evidence evidence_;  // of every name, but for its proof and its file
  OwnerNews result_;
  bool is_last_reading_ = false;
};

}  // namespace

OwnerNews read_news(const MirrorWish& wish, const MirrorSource& from, Database& here) {
  return OwnerReader(wish, from, here).run();
}

}  // namespace flox::server
