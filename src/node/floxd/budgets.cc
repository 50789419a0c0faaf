#include "node/floxd/budgets.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/data/json.h"
#include "base/error.h"
#include "base/log.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "node/floxd/containers.h"
#include "store/gc/lease.h"
#include "ttrpc/status.h"

namespace flox::node {
namespace {

// A limit of 0 is none.
bool reached(uint64_t now, uint64_t limit) { return limit != 0 && now >= limit; }
bool over(uint64_t now, uint64_t limit) { return limit != 0 && now > limit; }

// What tells the environments of a pod apart: a lock makes one for each mode.
Sha256Digest environment_digest(std::string_view lock, std::string_view mode) {
  return sha256(fmt::format("{} {}", mode, lock));
}

}  // namespace

Sha256Digest digest_of(const env::Lockfile& lock) { return sha256(lock.to_compact_string()); }

Budgets::Budgets(const PodBudgets& limits, const store::LocalStore& store, Metrics& metrics)
    : limits_(limits), store_(store), metrics_(metrics) {
  for (const auto& lease : store::list_leases(store_))
    if (lease.holder.starts_with(pod_holder_prefix)) known(lease.holder);
}

template <typename... Args>
void Budgets::refuse(Budget reason, const std::string& advice, fmt::format_string<Args...> format,
                     Args&&... args) {
  metrics_.refused(reason);
  throw ttrpc::StatusError(ttrpc::Code::resource_exhausted,
                           fmt::format(format, std::forward<Args>(args)...) + "\n" + advice);
}

void Budgets::check_lock_size(std::string_view lock) {
  if (over(lock.size(), limits_.pod_lock_size.bytes))
    refuse(Budget::lock_size,
           "Make the environment smaller, or ask this node's operator for a larger pod_lock_size.",
           "the lock has {} bytes, and the limit for a pod's lock is {} (pod_lock_size)", lock.size(),
           limits_.pod_lock_size.bytes);
}

bool Budgets::Pod::keeps(const Sha256Digest& environment) const {
  return std::ranges::any_of(environments,
                             [&](const auto& kept) { return kept.second.digest == environment; });
}

size_t Budgets::Pod::environment_count() const {
  return environments.size() + static_cast<size_t>(std::ranges::count_if(
                                   begun, [&](const auto& entry) { return !keeps(entry.first); }));
}

uint64_t Budgets::Pod::lock_bytes() const {
  uint64_t bytes = locks;
  for (const auto& [environment, request] : begun)
    if (!keeps(environment)) bytes += request.lock_size;
  return bytes;
}

Budgets::Claim Budgets::claim(const std::string& pod, const env::Lockfile& lock, std::string_view mode) {
  const std::string text = lock.to_compact_string();
  check_lock_size(text);  // however short the pod wrote it
  const Sha256Digest environment = environment_digest(text, mode);
  const std::scoped_lock guard(mutex_);
  Pod& has = known(pod);
  if (!has.keeps(environment) && !has.begun.contains(environment)) check_room(has, text.size());
  Begun& begun = has.begun[environment];
  ++begun.requests;
  begun.lock_size = text.size();
  return {*this, pod, environment};
}

void Budgets::check_room(const Pod& has, uint64_t lock_size) {
  const std::string advice =
      "Use an environment that this pod has already, start the pod anew, or ask this node's operator.";
  const size_t count = has.environment_count();
  if (reached(count, limits_.pod_environments))
    refuse(Budget::environments, advice,
           "this pod has {} environments: it may have no more (pod_environments)", count);
  size_t all = 0;
  for (const auto& [name, other] : pods_) all += other.environment_count();
  if (reached(all, limits_.pods_environments))
    refuse(Budget::environments, advice,
           "the pods of this node have {} environments: they may have no more (pods_environments)", all);
  if (const uint64_t bytes = has.lock_bytes(); over(bytes + lock_size, limits_.pod_locks.bytes))
    refuse(
        Budget::locks, advice,
        "the locks of this pod's environments have {} bytes, and this one {}: they may have {} (pod_locks)",
        bytes, lock_size, limits_.pod_locks.bytes);
  if (reached(has.disk, limits_.pod_disk.bytes))
    refuse(Budget::disk, advice, "this pod's environments take {} of disk: they may take {} (pod_disk)",
           size_text(has.disk), size_text(limits_.pod_disk.bytes));
}

void Budgets::give_back(const std::string& pod, const Sha256Digest& environment) {
  const std::scoped_lock guard(mutex_);
  const auto has = pods_.find(pod);
  if (has == pods_.end()) return;  // the pod has ended meanwhile
  const auto begun = has->second.begun.find(environment);
  if (begun != has->second.begun.end() && --begun->second.requests == 0) has->second.begun.erase(begun);
}

store::RealiseLimits Budgets::left(const std::string& pod) {
  store::RealiseLimits result;
  const std::scoped_lock guard(mutex_);
  if (limits_.pod_disk.bytes != 0)
    result.disk = limits_.pod_disk.bytes - std::min(known(pod).disk, limits_.pod_disk.bytes);
  if (limits_.pod_request_time.count() != 0) result.time = limits_.pod_request_time;
  return result;
}

void Budgets::realised(const std::string& pod, const nix::StorePath& profile, const env::Lockfile& lock,
                       std::string_view mode) {
  const std::scoped_lock guard(mutex_);
  Pod& has = known(pod);
  const std::string text = lock.to_compact_string();
  if (!has.environments.insert_or_assign(profile, Kept{environment_digest(text, mode), text.size()}).second)
    return;
  measure(has);
}

void Budgets::failed(const std::string& pod, const env::Lockfile& lock, std::string_view system) {
  constexpr size_t most = 1024;
  nix::StorePathSet packages;
  for (const auto& package : lock.for_system(system)) packages.merge(package.store_paths());
  const std::scoped_lock guard(mutex_);
  Pod& has = known(pod);
  for (const auto& path : packages)
    if (has.tried.size() < most) has.tried.insert(path);
  measure(has);
}

void Budgets::forget(const std::string& pod) {
  const std::scoped_lock guard(mutex_);
  pods_.erase(pod);
}

std::set<std::string> Budgets::pods() const {
  const std::scoped_lock guard(mutex_);
  std::set<std::string> names;
  for (const auto& [name, pod] : pods_) names.insert(name);
  return names;
}

BudgetUse Budgets::use() const {
  const std::scoped_lock guard(mutex_);
  BudgetUse use;
  for (const auto& [name, pod] : pods_) {
    use.all.environments += pod.environments.size();
    use.all.locks += pod.locks;
    use.all.disk += pod.disk;
    use.most.environments = std::max(use.most.environments, pod.environments.size());
    use.most.locks = std::max(use.most.locks, pod.locks);
    use.most.disk = std::max(use.most.disk, pod.disk);
  }
  return use;
}

Budgets::Pod& Budgets::known(const std::string& pod) {
  const auto [entry, is_new] = pods_.try_emplace(pod);
  if (!is_new) return entry->second;
  for (const auto& profile : store::leased_paths(store_, pod))
    entry->second.environments.emplace(profile, kept_in(profile));
  measure(entry->second);
  return entry->second;
}

Budgets::Kept Budgets::kept_in(const nix::StorePath& profile) const {
  constexpr size_t most = 16 << 20;
  try {
    const Directory files = Directory(store_.store_directory()).subdirectory(profile.base_name());
    const env::Lockfile lock = env::Lockfile::parse(files.read_file("manifest.lock", most));
    const std::string text = lock.to_compact_string();
    const auto vars = parse_json(files.read_file("activate.d/vars.json", most), "vars.json");
    return {environment_digest(text, string_member(vars, "mode", "vars.json")), text.size()};
  } catch (const Error& error) {
    log::warning("the lock of {}: {}", profile.base_name(), error.what());
    return {};
  }
}

void Budgets::measure(Pod& pod) const {
  nix::StorePathSet roots;
  pod.locks = 0;
  for (const auto& [profile, kept] : pod.environments) {
    roots.insert(profile);
    pod.locks += kept.lock_size;
  }
  try {
    std::erase_if(pod.tried, [&](const auto& path) { return !store_.is_valid(path); });
    roots.insert(pod.tried.begin(), pod.tried.end());
    pod.disk = roots.empty() ? 0 : store_.closure_size(store_.closure(roots));
  } catch (const Error& error) {  // one was collected at this moment
    log::info("measuring a pod's environments: {}", error.what());
  }
}

}  // namespace flox::node
