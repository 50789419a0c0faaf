#include "server/pages/closures.h"

#include <algorithm>
#include <utility>

#include "base/data/json.h"
#include "base/printable.h"
#include "trust/sbom/license.h"
#include "trust/sbom/purl.h"

namespace flox::server {
namespace {

// What the catalog says of the build's own paths.
trust::DeclaredPackages declared_by(const catalog::PackageBuild& build) {
  trust::DeclaredPackages result;
  const std::string version = printable(build.version);
  for (const auto& [output, path] : build.outputs)
    result.emplace(
        path, trust::PackageEntry{.name = build.name,
                                  .version = version,
                                  .purl = trust::store_path_purl(build.name, version, path.base_name()),
                                  .license = trust::is_license_expression(build.license) ? build.license : "",
                                  .source = {}});
  return result;
}

}  // namespace

std::shared_ptr<const trust::Bill> Closures::of(const catalog::PackageBuild& build, const Caller& caller) {
  // Who may see a thing is asked anew of everybody who is somebody.
  const bool is_shared = caller.is_nobody();
  nix::StorePathSet roots;
  // All that the bill depends on: who records a build with the paths of another one has a bill of their own.
  nlohmann::json of_the_bill = {build.name, build.version, build.license};
  for (const auto& [output, path] : build.outputs) {
    roots.insert(path);
    of_the_bill.push_back(path.base_name());
  }
  std::string key = of_the_bill.dump();
  if (is_shared) {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find(known_, key, &Known::key);
    if (found != known_.end()) {
      known_.splice(known_.begin(), known_, found);
      return found->bill;
    }
  }
  const Visibility::CallersCache access(accounts_.visibility, caller);
  std::vector<nix::PathInfo> infos;
  for (nix::NarInfo& narinfo : cache_.closure(roots, access, most_paths))
    infos.push_back(std::move(narinfo.info));
  auto bill = std::make_shared<const trust::Bill>(
      trust::bill_of(build.name + " " + build.version, roots, std::move(infos), declared_by(build)));
  if (!is_shared) return bill;
  const std::scoped_lock lock(mutex_);
  known_.push_front({std::move(key), bill});
  size_t paths = 0;
  const auto too_many = std::ranges::find_if(
      known_, [&](const Known& one) { return (paths += one.bill->components.size()) > most_remembered; });
  known_.erase(too_many, known_.end());
  return bill;
}

}  // namespace flox::server
