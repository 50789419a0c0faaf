#include "node/floxd/environments.h"

#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "base/os/memory.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "catalog/settings.h"
#include "env/profile.h"
#include "node/floxd/stage_timer.h"
#include "store/gc/lease.h"
#include "store/maintenance/recovery.h"
#include "store/realise/realise.h"

namespace flox::node {
namespace {

// A container that starts occupies a thread. Fetched paths stay, so the next attempt continues from there.
constexpr auto container_time = std::chrono::hours(2);

NamedLock lock_of_store_path(const nix::StorePath& path, const std::string& system) {
  const std::string id(path.name());
  NamedLock named{id, {}, std::nullopt};
  named.lock.manifest = {{"schema-version", "1.10.0"},
                         {"install", {{id, {{"store-path", path.to_string()}}}}}};
  named.lock.packages.push_back(env::LockedPackage::from_json(
      {{"install_id", id}, {"store_path", path.to_string()}, {"system", system}, {"priority", 5}}));
  return named;
}

// The caches, of which the catalog's is asked with the token.
std::vector<std::string> caches_with(const Config& config, const Secret& token) {
  std::vector<std::string> caches = catalog::caches_of(config, config);
  if (!token.empty() && !config.catalog_url.empty())
    caches.front() = catalog::cache_url_of(catalog::with_token(config.catalog_url, token));
  return caches;
}

}  // namespace

// One realise of a lock at a time for containers that start, and one for requests of pods; the others for the
// same lock wait and then find all paths present.
class Environments::SingleRealise {
 public:
  using Work = std::pair<Key, bool>;
  SingleRealise(Environments& owner, const Work& work) : owner_(owner), work_(work) {
    std::unique_lock lock(owner_.mutex_);
    owner_.finished_.wait(lock, [&] { return !owner_.under_way_.contains(work_); });
    owner_.under_way_.insert(work_);
  }
  ~SingleRealise() {
    std::scoped_lock lock(owner_.mutex_);
    owner_.under_way_.erase(work_);
    owner_.finished_.notify_all();
  }
  SingleRealise(const SingleRealise&) = delete;

 private:
  Environments& owner_;
  Work work_;
};

void check_mode(std::string_view mode) {
  if (mode != "run" && mode != "dev")
    fail(ErrorKind::invalid_input, "activate-mode '{}': it is run or dev", printable(mode, 60));
}

void Environments::recover_store() const { store::recover(store_, catalog::caches_of(config_, config_)); }

bool Environments::busy() const {
  std::scoped_lock lock(mutex_);
  return !under_way_.empty();
}

// What no trusted owner has signed, or not so as it must be, is logged and counted.
template <typename Ask>
auto Environments::asking_catalog(std::string_view what, Ask&& ask) const {
  try {
    return ask();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::untrusted) {
      metrics_.metadata_refused();
      log::warning("refused: {}: {}", what, error.what());
    }
    throw;
  }
}

ConfinedCatalog::Package Environments::resolve(std::string_view install_id,
                                               const env::InstallDescriptor& descriptor,
                                               std::string_view system, const PodAnswers* pod,
                                               const Secret& token) const {
  return asking_catalog(descriptor.pkg_path,
                        [&] { return catalog_.resolve(install_id, descriptor, system, pod, token); });
}

NamedLock Environments::lock_of(std::string_view reference, const PodAnswers* pod,
                                const Secret& token) const {
  const std::string system = env::current_system();
  if (reference.starts_with('/')) return lock_of_store_path(nix::StorePath::parse(reference), system);
  if (catalog::is_environment_name(reference)) {
    const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
    auto [generation, lock, origin] =
        asking_catalog(name.to_string(), [&] { return catalog_.environment(name, pod, token); });
    NamedLock named{name.name, std::move(lock), std::move(origin), generation};
    if (!named.lock.packages.empty() && named.lock.for_system(system).empty())
      throw Error(
          ErrorKind::not_found,
          fmt::format("it is locked for {}, and this node is {}", named.lock.packages[0].system, system),
          "Add the system to [options] systems in its manifest, and push it again.");
    return named;
  }
  const auto [name, descriptor] = env::parse_package(std::string(reference));
  nlohmann::json entry = {{"pkg-path", descriptor.pkg_path}};
  if (descriptor.version) entry["version"] = *descriptor.version;
  auto [package, origin] = resolve(name, descriptor, system, pod, token);
  NamedLock named{name, {}, std::move(origin)};
  named.lock.manifest = {{"schema-version", "1.10.0"}, {"install", {{name, entry}}}};
  named.lock.packages.push_back(std::move(package));
  return named;
}

std::optional<nix::StorePath> Environments::lease_known(const Key& key, std::string_view holder) {
  std::optional<nix::StorePath> profile;
  {
    std::scoped_lock lock(mutex_);
    if (auto known = profiles_.find(key); known != profiles_.end()) profile = known->second;
  }
  if (!profile || !store::add_lease_of_present(store_, holder, {*profile})) return std::nullopt;
  return profile;
}

bool Environments::passes(const Terms& terms, const nix::StorePathSet& paths) const {
  if (!terms.check_closure) return true;
  try {
    terms.check_closure(store_, store_.closure(paths));
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
}

store::RealiseLimits Environments::limits_of_container() { return {.time = container_time}; }

nix::StorePath Environments::realise(const env::Lockfile& lock, std::string_view system,
                                     std::string_view mode, std::string_view holder, const Terms& terms) {
  auto start = std::chrono::steady_clock::now();
  nix::StorePathSet paths;
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) paths.insert(path);
  // A digest, whatever the lock's size.
  const Key key = sha256(fmt::format("{} {} {}", system, mode, lock.to_compact_string()));
  if (auto profile = passes(terms, paths) ? lease_known(key, holder) : std::nullopt) {
    metrics_.realised(0, 0, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return *profile;
  }
  const SingleRealise single(*this, {key, terms.of_pod});
  store::RealiseOptions options{.caches = caches_with(config_, terms.token),
                                .trusted_keys = nix::TrustedKeys(config_.trusted_keys),
                                .trust_content_addressed = config_.trust_content_addressed,
                                .limits = terms.limits,
                                .isolation = config_.isolation,
                                .fetchers = &fetchers_};
  try {
    // A store object of this request's own: its temporary roots keep the collector off until the lease is
    // there, and end with it.
    store::LocalStore store(store_.root(), store_.lock_timeout());
    store::RealiseResult result = [&] {
      const StageTimer timer(metrics_, Stage::realise);
      return store::realise(store, paths, options);
    }();
    if (result.paths_fetched > 0) return_freed_memory();
    if (terms.check_closure) terms.check_closure(store, result.closure);
    nix::StorePath profile = [&] {
      const StageTimer timer(metrics_, Stage::profile);
      return env::build_profile(store, lock, system, mode).path;
    }();
    store::add_lease(store, holder, {profile});
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    metrics_.realised(result.paths_fetched, result.bytes_fetched, took.count());
    log::info("realised {} for {}: {} paths fetched ({:.1f} MB) in {:.3f} s", profile.name(), holder,
              result.paths_fetched, static_cast<double>(result.bytes_fetched) / 1e6, took.count());
    std::scoped_lock guard(mutex_);
    constexpr size_t many = 10'000;
    if (profiles_.size() >= many) profiles_.clear();
    profiles_.insert_or_assign(key, profile);
    return profile;
  } catch (const Error& error) {
    metrics_.failed(error.kind());
    throw;
  }
}

}  // namespace flox::node
