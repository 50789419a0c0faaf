#include "catalog/choice.h"

#include <tuple>

#include "catalog/cpu_level.h"

namespace flox::catalog {

bool goes_before(const PackageBuild& a, const PackageBuild& b) {
  if (const int order = compare_versions(a.version, b.version); order != 0) return order > 0;
  return std::tie(a.version, a.system, a.variant) < std::tie(b.version, b.system, b.variant);
}

const PackageBuild* choose(const std::vector<PackageBuild>& builds, const Wish& wish,
                           const VersionConstraint& constraint) {
  auto among = [&](bool pre_releases) {
    const PackageBuild* found = nullptr;
    for (const auto& build : builds) {
      const int rank = variant_rank(build.variant, wish.cpu_level);
      if (build.system != wish.system || rank < 0 || !constraint.admits(build.version)) continue;
      if (!pre_releases && is_pre_release(build.version)) continue;
      if (build.yanked && !constraint.names(build.version)) continue;
      if (found == nullptr ||
          (found->version == build.version && rank > variant_rank(found->variant, wish.cpu_level)))
        found = &build;
    }
    return found;
  };
  const PackageBuild* found = among(wish.allow_pre_releases);
  return found != nullptr || wish.allow_pre_releases ? found : among(true);
}

}  // namespace flox::catalog
