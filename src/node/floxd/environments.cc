#include "node/floxd/environments.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/log.h"
#include "base/os/memory.h"
#include "base/printable.h"
#include "base/settings/units.h"
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

// How far a realisation has come.
class LastProgress {
 public:
  void set(const store::RealiseProgress& progress) {
    const std::scoped_lock lock(mutex_);
    last_ = progress;
  }
  // The error of one that was ended before its end, with what it leaves for the next attempt.
  Error in(const Error& error) const {
    const std::scoped_lock lock(mutex_);
    if (error.kind() != ErrorKind::unavailable || last_.paths_done == 0) return error;
    return {error.kind(),
            fmt::format("{}; {} of {} have come and stay: the next attempt goes on from there", error.what(),
                        last_.paths_done, count_text(last_.paths_total, "path")),
            error.advice()};
  }

 private:
  mutable std::mutex mutex_;
  store::RealiseProgress last_;
};

}  // namespace

void check_mode(std::string_view mode) {
  if (mode != "run" && mode != "dev")
    fail(ErrorKind::invalid_input, "activate-mode '{}': it is run or dev", printable(mode, 60));
}

void Environments::recover_store() const {
  if (reader_ == nullptr) store::recover(store_, catalog::caches_of(config_, config_));
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

std::optional<catalog::StartProfile> Environments::start_profile(const std::string& reference) const {
  if (reference.starts_with('/')) return std::nullopt;
  if (!catalog::is_environment_name(reference))
    return catalog_.start_profile(env::parse_package(reference).descriptor.pkg_path);
  const catalog::EnvironmentName name = catalog::parse_environment_name(reference);
  return catalog_.start_profile(name.owner + "/" + name.name);
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

store::RealiseOptions Environments::options_for(const Terms& terms, const std::stop_token& stop) {
  store::RealiseOptions options{.caches = caches_with(config_, terms.token),
                                .trusted_keys = nix::TrustedKeys(config_.trusted_keys),
                                .trust_content_addressed = config_.trust_content_addressed,
                                .limits = terms.limits,
                                .isolation = config_.isolation,
                                .stop = stop};
  peers_.add_to(options, !terms.token.empty());
  options.unfinished = terms.unfinished;
  if (terms.lane == Lane::prefetch) {
    // Its fetcher is started by this thread, whose priority it inherits; of few threads, which leave the
    // machine to others.
    constexpr unsigned workers = 2;
    options.workers = workers;
    options.allow = [this](uint64_t bytes, const std::function<bool()>& is_over) {
      pace_.allow(bytes, is_over);
    };
  } else {
    options.fetchers = &fetchers_;
    options.on_busy = [this] { pace_.hurry(); };
  }
  return options;
}

bool Environments::has_packages(const env::Lockfile& lock, std::string_view system) const {
  return std::ranges::all_of(lock.for_system(system), [&](const auto& package) {
    return std::ranges::all_of(package.store_paths(),
                               [&](const nix::StorePath& path) { return store_.is_valid(path); });
  });
}

store::RealiseLimits Environments::limits_of_container() { return {.time = container_time}; }

nix::StorePath Environments::realise_at_writer(const Key& key, const env::Lockfile& lock,
                                               std::string_view system, std::string_view mode,
                                               std::string_view holder, const Terms& terms,
                                               const nix::StorePathSet& paths) {
  const auto start = std::chrono::steady_clock::now();
  const auto took = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  reader_->require_store();
  if (auto profile = passes(terms, paths) ? reader_->lease_held(key, holder) : std::nullopt) {
    metrics_.realised(0, 0, took());
    return *profile;
  }
  const UnderWay::Turn turn = [&] {
    const StartLog::Start::WaitsForSame waits;
    return under_way_.begin({key, terms.lane}, terms.gone);
  }();
  LastProgress last;
  try {
    const StageTimer timer(metrics_, Stage::realise);
    const nix::StorePath profile =
        reader_->realise({.key = key,
                          .lock = lock.to_compact_string(),
                          .system = system,
                          .mode = mode,
                          .lane = to_string(terms.lane),
                          .limits = terms.limits,
                          .is_over = [stop = turn.stop()] { return stop.stop_requested(); },
                          .on_progress =
                              [&](const store::RealiseProgress& progress) {
                                last.set(progress);
                                if (terms.on_progress) terms.on_progress(progress);
                              },
                          .check =
                              [&](const store::LocalStore& store) {
                                if (terms.check_closure) terms.check_closure(store, store.closure(paths));
                              }},
                         holder);
    metrics_.realised(0, 0, took());
    log::info("had {} realised for {} by the writer of the store in {:.3f} s", profile.name(), holder,
              took());
    return profile;
  } catch (const Error& error) {
    metrics_.failed(error.kind());
    throw last.in(error);
  }
}

nix::StorePath Environments::realise(const env::Lockfile& lock, std::string_view system,
                                     std::string_view mode, std::string_view holder, const Terms& terms) {
  auto start = std::chrono::steady_clock::now();
  nix::StorePathSet paths;
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) paths.insert(path);
  // A digest, whatever the lock's size.
  const Key key = sha256(fmt::format("{} {} {}", system, mode, lock.to_compact_string()));
  if (reader_ != nullptr) return realise_at_writer(key, lock, system, mode, holder, terms, paths);
  if (auto profile = passes(terms, paths) ? lease_known(key, holder) : std::nullopt) {
    metrics_.realised(0, 0, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return *profile;
  }
  const UnderWay::Turn turn = [&] {
    const StartLog::Start::WaitsForSame waits;
    return under_way_.begin({key, terms.lane}, terms.gone);
  }();
  std::optional<Pace::Urgent> urgent;
  if (terms.lane != Lane::prefetch) urgent.emplace(pace_);
  store::RealiseOptions options = options_for(terms, turn.stop());
  LastProgress last;
  options.on_progress = [&](const store::RealiseProgress& progress) {
    last.set(progress);
    if (terms.on_progress) terms.on_progress(progress);
  };
  try {
    // A store object of this request's own: its temporary roots keep the collector off until the lease is
    // there, and end with it.
    store::LocalStore store(store_.root(), store_.lock_timeout());
    store::RealiseResult result = [&] {
      const StageTimer timer(metrics_, Stage::realise);
      return store::realise(store, paths, options);
    }();
    peers_.note(result, !terms.token.empty());
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
    throw last.in(error);
  }
}

}  // namespace flox::node
