// Which of a package's builds a descriptor gets. The catalog chooses by it, and those who verify a catalog's
// answer choose again among what is signed: an older version would be a downgrade.
#pragma once

#include <string>
#include <tuple>
#include <vector>

#include "catalog/cpu_level.h"
#include "catalog/model.h"

namespace flox::catalog {

struct Wish {
  std::string system;
  std::string cpu_level;  // as cpu_level() says it; empty: unknown, builds for any CPU only
  bool allow_pre_releases = false;
};

// A build here is a PackageBuild, or anything else with its members version, system, variant and yanked:
// choosing needs no more of one.

// Newest version first; equal ones in a fixed order.
struct GoesBefore {
  template <typename Build>
  bool operator()(const Build& a, const Build& b) const {
    if (const int order = compare_versions(a.version, b.version); order != 0) return order > 0;
    return std::tie(a.version, a.system, a.variant) < std::tie(b.version, b.system, b.variant);
  }
};
inline constexpr GoesBefore goes_before;

// Of the builds of one package, in that order: the newest version that the constraint admits, and of it the
// best variant that the CPU can run. Versions that lead up to a release are taken only if they are allowed,
// or nothing else satisfies. A yanked build is taken only if the constraint names its version. Null: none.
template <typename Build>
const Build* choose(const std::vector<Build>& builds, const Wish& wish, const VersionConstraint& constraint) {
  const auto among = [&](bool pre_releases) {
    const Build* found = nullptr;
    for (const Build& build : builds) {
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
  const Build* found = among(wish.allow_pre_releases);
  return found != nullptr || wish.allow_pre_releases ? found : among(true);
}

}  // namespace flox::catalog
