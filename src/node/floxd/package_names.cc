#include "node/floxd/package_names.h"

#include <algorithm>

#include "base/error.h"

namespace flox::node {
namespace {

constexpr size_t most_known = 20'000;
constexpr size_t longest_name = 256;  // bytes of a name or a version that is asked for

std::string known_entry(const env::LockedPackage& package, const nix::StorePath& path) {
  return fmt::format("{} {} {}", package.attr_path, package.version, path.base_name());
}

}  // namespace

void PackageNames::remember(const env::LockedPackage& package) {
  const std::scoped_lock lock(mutex_);
  if (known_.size() >= most_known) known_.clear();
  for (const auto& [output, path] : package.outputs) known_.insert(known_entry(package, path));
}

bool PackageNames::knows(const env::LockedPackage& package) const {
  const std::scoped_lock lock(mutex_);
  return std::ranges::all_of(package.store_paths(), [&](const nix::StorePath& path) {
    return known_.contains(known_entry(package, path));
  });
}

std::vector<policy::Asked> PackageNames::asked_with(const env::LockedPackage& package) {
  const bool nameable = !package.attr_path.empty() && package.attr_path.size() <= longest_name &&
                        !package.version.empty() && package.version.size() <= longest_name &&
                        !package.store_paths().empty();
  if (nameable && !knows(package)) try {
      const env::LockedPackage answer = environments_.resolve(
          "asked", {.pkg_path = package.attr_path, .version = "=" + package.version}, package.system);
      if (answer.attr_path == package.attr_path && answer.version == package.version) remember(answer);
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::internal) throw;
    }
  if (nameable && knows(package))
    return {{.kind = policy::Asked::Kind::package,
             .name = package.attr_path,
             .version = package.version,
             .provenance = {}}};
  std::vector<policy::Asked> paths;
  for (const nix::StorePath& path : package.store_paths())
    paths.push_back(
        {.kind = policy::Asked::Kind::store_path, .name = path.base_name(), .version = {}, .provenance = {}});
  return paths;
}

}  // namespace flox::node
