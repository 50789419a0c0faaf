#include "server/transfer/mirror.h"

#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/printable.h"
#include "server/api/signers.h"
#include "server/files/looking_again.h"
#include "server/records/holdings.h"
#include "server/records/mirrored_owners.h"
#include "server/records/trust_records.h"
#include "server/transfer/copy_paths.h"
#include "server/transfer/everyones_cache.h"
#include "server/transfer/owner_news.h"

namespace flox::server {
namespace {

nix::StorePathSet all_of(const PathsByName& by_name) {
  nix::StorePathSet all;
  for (const auto& [name, paths] : by_name) all.insert(paths.begin(), paths.end());
  return all;
}

class OwnerMirror {
 public:
  OwnerMirror(const MirrorWish& wish, const MirrorSource& from, const MirrorInto& into)
      : wish_(wish), from_(from), into_(into), everyone_(into.database) {}

  MirrorResult run() {
    news_ = read_news(wish_, from_, into_.database);
    for (const auto& [name, error] : std::exchange(news_.left_out, {})) leave_out(name, error);
    leave_out_others();
    looking_again(
        into_.cache, [&](int64_t times) { copy_all(times); }, [&] { return all_of(news_.paths); });
    result_.packages = news_.mirrored.packages.size();
    result_.generations = news_.mirrored.generations.size();
    result_.gone = news_.mirrored.gone.size();
    result_.unsigned_generations = news_.unsigned_generations;
    result_.removed_generations = news_.removed_generations;
    result_.expires = news_.expires;
    return result_;
  }

 private:
  void leave_out(const std::string& name, const Error& error) {
    log::warning("{} of {} is left out and stays as it is here: {}", name, wish_.owner, error.what());
    result_.left_out.emplace_back(name, error);
    const auto is_it = [&](const auto& one) { return one.file.name == name; };
    std::erase_if(news_.mirrored.packages, is_it);
    std::erase_if(news_.mirrored.generations, is_it);
    news_.paths.erase(name);
    news_.present.erase(name);
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
    for (const MirroredPackage& package : news_.mirrored.packages) names.push_back(package.file.name);
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
  void copy_all(int64_t times) {
    find_missing();
    copy_names();
    check_builds();
    const bool is_known = TrustRecords(into_.database).versions(wish_.owner).names > 0;
    if (!is_known && !result_.left_out.empty() && news_.mirrored.packages.empty() &&
        news_.mirrored.generations.empty())
      throw result_.left_out.front().second;
    const auto closure = into_.cache.closure(all_of(news_.paths), everyone_);
    copy_attestations();
    write_mirrored(into_.database, news_.mirrored,
                   {.times = times, .digests = into_.cache.digests_of(closure, {})});
  }

  // What was mirrored before is looked for, too: what has gone here comes again.
  void find_missing() {
    if (is_whole(all_of(news_.present))) return;
    for (const auto& [name, paths] : news_.present) {
      if (is_whole(paths)) continue;
      const nix::StorePathSet here = into_.cache.among(paths, everyone_);
      for (const nix::StorePath& path : paths)
        if (here.contains(path) ? !is_whole({path}) : from_.cache.query(path).has_value())
          news_.paths[name].insert(path);
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
      copy(all_of(news_.paths));
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable) throw;
      each_name(names_of(news_.paths), [&](const std::string& name) { copy(news_.paths.at(name)); });
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
      for (MirroredPackage& package : news_.mirrored.packages) {
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
    for (const MirroredPackage& package : news_.mirrored.packages)
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
  OwnerNews news_;  // its paths: to copy
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
