#include "node/floxd/package_names.h"

#include "base/error.h"

namespace flox::node {
namespace {

constexpr size_t most_known = 20'000;
constexpr auto provenance_life = std::chrono::minutes(10);  // a key may be revoked
constexpr size_t longest_name = 256;                        // bytes of a name or a version that is asked for

std::string known_entry(const env::LockedPackage& package, const nix::StorePath& path) {
  return fmt::format("{} {} {}", package.attr_path, package.version, path.base_name());
}

}  // namespace

void PackageNames::remember(const env::LockedPackage& package, const policy::Provenance& provenance) {
  const std::scoped_lock lock(mutex_);
  if (known_.size() >= most_known) known_.clear();
  for (const auto& [output, path] : package.outputs)
    known_.insert_or_assign(known_entry(package, path), Known{provenance, Clock::now()});
}

std::optional<PackageNames::Known> PackageNames::known(const env::LockedPackage& package) const {
  const std::scoped_lock lock(mutex_);
  std::optional<Known> result;
  for (const nix::StorePath& path : package.store_paths()) {
    const auto found = known_.find(known_entry(package, path));
    if (found == known_.end()) return std::nullopt;
    if (!result || found->second.checked_at < result->checked_at) result = found->second;
  }
  return result;
}

std::optional<policy::Provenance> PackageNames::look_up(const env::LockedPackage& package,
                                                        const PodAnswers* pod) {
  const bool nameable = !package.attr_path.empty() && package.attr_path.size() <= longest_name &&
                        !package.version.empty() && package.version.size() <= longest_name &&
                        !package.store_paths().empty();
  if (!nameable) return std::nullopt;
  auto before = known(package);
  const auto is_fresh = [](const std::optional<Known>& found) {
    return found && Clock::now() - found->checked_at < provenance_life;
  };
  if (!is_fresh(before)) try {
      const auto [answer, origin] = environments_.resolve(
          "asked", {.pkg_path = package.attr_path, .version = "=" + package.version}, package.system, pod);
      if (answer.attr_path == package.attr_path && answer.version == package.version)
        remember(answer, policy::provenance_of(origin));
    } catch (const Error& error) {
      const bool no_answer = error.kind() == ErrorKind::unavailable || error.kind() == ErrorKind::internal;
      if (no_answer && !before) throw;
    }
  auto after = known(package);
  if (!after) return std::nullopt;
  if (!is_fresh(after)) return policy::Provenance();  // the name stays; who signs it may have changed
  return std::move(after->provenance);
}

policy::Provenance PackageNames::provenance_of(const env::LockedPackage& package, const PodAnswers* pod) {
  return look_up(package, pod).value_or(policy::Provenance());
}

std::vector<policy::Asked> PackageNames::asked_with(const env::LockedPackage& package,
                                                    const PodAnswers* pod) {
  auto provenance = look_up(package, pod);
  if (provenance) return {policy::asked_of(package, *std::move(provenance))};
  std::vector<policy::Asked> paths;
  for (const nix::StorePath& path : package.store_paths())
    paths.push_back(
        {.kind = policy::Asked::Kind::store_path, .name = path.base_name(), .version = {}, .provenance = {}});
  return paths;
}

}  // namespace flox::node
