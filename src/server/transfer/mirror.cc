#include "server/transfer/mirror.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "catalog/answer_verifier.h"
#include "nix/cache_layout.h"
#include "server/api/signers.h"
#include "server/files/looking_again.h"
#include "server/records/clock.h"
#include "server/records/holdings.h"
#include "server/records/mirrored_owners.h"
#include "server/records/records.h"
#include "server/records/trust_records.h"
#include "server/transfer/copy_paths.h"
#include "server/transfer/everyones_cache.h"
#include "trust/verifier.h"

namespace flox::server {
namespace {

constexpr int most_readings = 5;  // while somebody publishes there

// What was read is not of one moment: it is read again.
struct Moved {};

using PathsByName = std::map<std::string, nix::StorePathSet>;

nix::StorePathSet all_of(const PathsByName& by_name) {
  nix::StorePathSet all;
  for (const auto& [name, paths] : by_name) all.insert(paths.begin(), paths.end());
  return all;
}

class OwnerMirror {
 public:
  OwnerMirror(const MirrorWish& wish, const MirrorSource& from, const MirrorInto& into)
      : wish_(wish),
        from_(from),
        into_(into),
        everyone_(into.database),
        name_files_(into.database),
        trust_records_(into.database),
        verifier_(from.trust) {}

  MirrorResult run() {
    for (int reading = 1;; ++reading) try {
        read();
        break;
      } catch (const Moved&) {
        if (reading == most_readings)
          throw Error(ErrorKind::unavailable,
                      fmt::format("the catalog's answers about {} do not fit together", wish_.owner),
                      "Try again later: somebody publishes there all the time, or it holds something back.");
      }
    leave_out_others();
    looking_again(
        into_.cache, [&] { copy_all(); }, [&] { return all_of(paths_); });
    result_.packages = mirrored_.packages.size();
    result_.generations = mirrored_.generations.size();
    result_.gone = mirrored_.gone.size();
    return result_;
  }

 private:
  // Everything that has changed, verified.
  void read() {
    result_ = {};
    mirrored_ = {.owner = wish_.owner};
    paths_.clear();
    present_.clear();
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
    mirrored_.targets = {static_cast<int64_t>(version), evidence_.targets};
    mirrored_.names = {static_cast<int64_t>(stamp.version), names->to_string()};
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
      mirrored_.roots.emplace_back(static_cast<int64_t>(version), std::move(*text));
      before = std::move(root);
    }
    if (from_.trust.root_version(wish_.owner) > newest) throw Moved();
    const auto trusted = from_.trust.root(wish_.owner);
    if (trusted.content.version <= mirrored_.roots.size() &&
        trust::Signed<trust::Root>::parse(mirrored_.roots[trusted.content.version - 1].second, "root.json")
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
    std::map<std::string, NameState> known;
    if (trust_records_.versions(wish_.owner).names > 0)
      for (NameState& state : name_files_.latest(wish_.owner)) known.emplace(state.name, state);
    size_t wanted = 0;
    for (const auto& [name, leaf] : tree_.leaves()) {
      const auto present = known.find(name);
      if (!is_wanted(name) && present == known.end()) continue;
      ++wanted;
      const bool is_same = present != known.end() && present->second.sha256 == leaf.sha256;
      in_context(name,
                 [&] { read_name(leaf, is_same, present == known.end() ? 0 : present->second.version); });
    }
    for (const auto& [name, state] : known)
      if (!tree_.leaves().contains(name)) mirrored_.gone.push_back(name);
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
    const EnvironmentRecords environments(into_.database);
    for (const auto& one :
         environments.generations(wish_.owner, environment, std::numeric_limits<int64_t>::max()))
      if (const auto generation = environments.find(wish_.owner, environment, one.number))
        for (const auto& package : generation->lock.packages) present_[name].merge(package.store_paths());
  }

  // What is here already is verified again: with the new timestamp.
  void read_package(trust::Evidence evidence, const trust::Leaf& leaf, const std::string& package,
                    bool is_same) {
    if (is_same) {
      evidence.name_file = name_files_.find(wish_.owner, leaf.name)->document;
      verifier_.verify_package_file(evidence, package);
      for (const auto& build : Records(into_.database).builds(package))
        for (const auto& [output, path] : build.outputs) present_[leaf.name].insert(path);
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
      for (const auto& [output, path] : build.outputs) paths_[leaf.name].insert(path);
      mirrored.builds.push_back(std::move(build));
    }
    if (listed.size() != verified.file.targets.size()) throw Moved();
    mirrored_.packages.push_back(std::move(mirrored));
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
    const auto generation = EnvironmentRecords(into_.database).find(wish_.owner, environment, newest);
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
          paths_[leaf.name].insert(path);  // others come from other caches, there as here
    mirrored_.generations.push_back(
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

  void leave_out(const std::string& name, const Error& error) {
    log::warning("{} of {} is left out and stays as it is here: {}", name, wish_.owner, error.what());
    result_.left_out.emplace_back(name, error);
    const auto is_it = [&](const auto& one) { return one.file.name == name; };
    std::erase_if(mirrored_.packages, is_it);
    std::erase_if(mirrored_.generations, is_it);
    paths_.erase(name);
    present_.erase(name);
  }

  // Does it for each name; one that is refused is left out, and the others come.
  template <typename Body>
  void each_name(const std::vector<std::string>& names, const Body& body) {
    for (const std::string& name : names) try {
        body(name);
      } catch (const Error& error) {
        if (error.kind() == ErrorKind::unavailable) throw;
        leave_out(name, error);
      }
  }

  static std::vector<std::string> names_of(const PathsByName& by_name) {
    std::vector<std::string> names;
    for (const auto& [name, paths] : by_name) names.push_back(name);
    return names;
  }

  std::vector<std::string> package_names() const {
    std::vector<std::string> names;
    for (const MirroredPackage& package : mirrored_.packages) names.push_back(package.file.name);
    return names;
  }

  void leave_out_others() {
    const Holdings holdings(into_.database);
    each_name(package_names(), [&](const std::string& name) {
      const std::string package = name.substr(trust::package_name("").size());
      const auto holding = holdings.find(Kind::package, package);
      if (holding && holding->owner != wish_.owner)
        throw Error(ErrorKind::conflict, fmt::format("the package {} is another owner's here", package),
                    "Leave it out by its pattern, or give it to that owner: flox owner give.");
    });
  }

  // Brings the paths, records what needs them, and leaves out what is refused.
  void copy_all() {
    const int64_t marked = into_.cache.marks().times();
    find_missing();
    copy_names();
    check_builds();
    const bool is_known = trust_records_.versions(wish_.owner).names > 0;
    if (!is_known && !result_.left_out.empty() && mirrored_.packages.empty() && mirrored_.generations.empty())
      throw result_.left_out.front().second;
    const auto closure = into_.cache.closure(all_of(paths_), everyone_);
    copy_attestations();
    write_mirrored(into_.database, mirrored_,
                   {.times = marked, .digests = into_.cache.digests_of(closure, {})});
  }

  // What was mirrored before is looked for, too: what has gone here comes again.
  void find_missing() {
    if (is_whole(all_of(present_))) return;
    for (const auto& [name, paths] : present_) {
      if (is_whole(paths)) continue;
      const nix::StorePathSet here = into_.cache.among(paths, everyone_);
      for (const nix::StorePath& path : paths)
        if (here.contains(path) ? !is_whole({path}) : from_.cache.query(path).has_value())
          paths_[name].insert(path);
    }
  }

  bool is_whole(const nix::StorePathSet& paths) const {
    try {
      into_.cache.closure(paths, everyone_);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::invalid_input) throw;
      return false;
    }
  }

  // All at once, which is faster, if nothing is refused.
  void copy_names() {
    try {
      copy(all_of(paths_));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable) throw;
      each_name(names_of(paths_), [&](const std::string& name) { copy(paths_.at(name)); });
    }
  }

  // What is public there is so here, also if somebody has it in private: if it really is there.
  void copy(const nix::StorePathSet& paths) {
    const CopiedPaths copied =
        copy_paths(from_.cache, into_.cache, paths, {.compare_present = true, .access = everyone_});
    result_.paths += copied.copied;
    result_.bytes += copied.bytes;
    into_.cache.closure(paths, everyone_);
  }

  // Who signed a build's paths is for each catalog's own keys to say.
  void check_builds() {
    each_name(package_names(), [&](const std::string& name) {
      for (MirroredPackage& package : mirrored_.packages) {
        if (package.file.name != name) continue;
        for (catalog::PackageBuild& build : package.builds) {
          build.signer.clear();
          check_claims(build, into_.cache, into_.keys, everyone_);
        }
      }
    });
  }

  void copy_attestations() {
    nix::StorePathSet outputs;
    for (const MirroredPackage& package : mirrored_.packages)
      for (const catalog::PackageBuild& build : package.builds)
        for (const auto& [output, path] : build.outputs) outputs.insert(path);
    for (const nix::StorePath& path : from_.client.attested(outputs))
      for (const std::string& envelope : from_.client.attestations(path)) attest(path, envelope);
  }

  // An attestation is no part of what is signed for the name: one that this catalog would refuse is left out.
  void attest(const nix::StorePath& path, const std::string& envelope) {
    try {
      const auto upload = Attestations::begin(path.digest());
      upload->write(envelope);
      into_.attestations.put(path.digest(), *upload, everyone_);
      ++result_.attestations;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable) throw;
      log::warning("an attestation of {} is left out: {}", path.to_string(), error.what());
      ++result_.attestations_refused;
    }
  }

  const MirrorWish& wish_;
  const MirrorSource& from_;
  const MirrorInto& into_;
  EveryonesCache everyone_;
  NameFiles name_files_;
  TrustRecords trust_records_;
  trust::Verifier verifier_;
  trust::MerkleTree tree_;
  trust::Evidence evidence_;  // of every name, but for its proof and its file
  MirroredOwner mirrored_;
  PathsByName paths_;    // to copy
  PathsByName present_;  // of what was mirrored before
  MirrorResult result_;
};

}  // namespace

MirrorWish MirrorWish::parse(std::string_view text) {
  return in_context(fmt::format("'{}'", printable(text, 100)), [&] {
    const size_t slash = text.find('/');
    MirrorWish wish{.owner = std::string(text.substr(0, slash)), .patterns = {}};
    trust::check_owner(wish.owner);
    if (slash == std::string_view::npos) return wish;
    wish.patterns.emplace_back(text.substr(slash + 1));
    trust::check_pattern(wish.patterns.front());
    return wish;
  });
}

MirrorResult mirror(const MirrorWish& wish, const MirrorSource& from, const MirrorInto& into) {
  return in_context(fmt::format("mirroring {}", wish.owner), [&] {
    from.trust.root(wish.owner);  // throws, with advice, if it is not trusted
    return OwnerMirror(wish, from, into).run();
  });
}

}  // namespace flox::server
