#include "node/floxd/grants.h"

#include <algorithm>

#include "node/floxd/budgets.h"

namespace flox::node {
namespace {

constexpr size_t most_of_pod = 32;  // containers of a pod, and versions that it asks for

// Of all that the lock has for the system, by store path.
Sha256Digest packages_digest(const env::Lockfile& lock, std::string_view system) {
  std::string text(system);
  for (const auto& package : lock.for_system(system))
    for (const auto& path : package.store_paths()) text += "\n" + path.to_string();
  return sha256(text);
}

bool is_empty(const nlohmann::json& value) {
  return value.is_null() || ((value.is_object() || value.is_array()) && value.empty());
}

// Whether the manifest says which packages, and nothing else that would reach the profile.
bool has_only_packages(const nlohmann::json& manifest) {
  if (!manifest.is_object()) return manifest.is_null();
  for (const char* key : {"vars", "hook", "profile", "services", "include", "plugins"})
    if (const auto entry = manifest.find(key); entry != manifest.end() && !is_empty(*entry)) return false;
  return true;
}

}  // namespace

void Grants::keep(const std::string& pod, Grant grant) {
  const std::scoped_lock guard(mutex_);
  auto& grants = by_pod_[pod];
  std::erase_if(grants, [&](const Grant& known) { return known.whole == grant.whole; });
  grants.push_front(std::move(grant));
  if (grants.size() > most_of_pod) grants.pop_back();
}

void Grants::add(const std::string& pod, const env::Lockfile& lock) {
  keep(pod, {.whole = digest_of(lock), .packages = sha256(""), .lock = lock.to_compact_string()});
}

void Grants::add_package(const std::string& pod, const std::string& name, const env::LockedPackage& package) {
  env::Lockfile lock;
  lock.manifest = {{"schema-version", "1.10.0"},
                   {"install", {{name, {{"pkg-path", package.attr_path}, {"version", package.version}}}}}};
  lock.packages.push_back(package);
  keep(pod, {.whole = digest_of(lock),
             .packages = packages_digest(lock, package.system),
             .lock = lock.to_compact_string()});
}

std::optional<env::Lockfile> Grants::find(const std::string& pod, const env::Lockfile& wanted,
                                          std::string_view system) const {
  const Sha256Digest whole = digest_of(wanted);
  const Sha256Digest packages = packages_digest(wanted, system);
  const bool only_packages = has_only_packages(wanted.manifest) && wanted.for_system(system).size() == 1;
  const std::scoped_lock guard(mutex_);
  const auto found = by_pod_.find(pod);
  if (found == by_pod_.end()) return std::nullopt;
  for (const Grant& grant : found->second)
    if (grant.whole == whole || (only_packages && grant.packages == packages))
      return env::Lockfile::parse(grant.lock);
  return std::nullopt;
}

void Grants::forget(const std::string& pod) {
  const std::scoped_lock guard(mutex_);
  by_pod_.erase(pod);
}

std::set<std::string> Grants::pods() const {
  const std::scoped_lock guard(mutex_);
  std::set<std::string> names;
  for (const auto& [name, grants] : by_pod_) names.insert(name);
  return names;
}

}  // namespace flox::node
