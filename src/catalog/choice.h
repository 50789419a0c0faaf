// Which of a package's builds a descriptor gets. The catalog chooses by it, and those who verify a catalog's
// answer choose again among what is signed: an older version would be a downgrade.
#pragma once

#include <string>
#include <vector>

#include "catalog/model.h"

namespace flox::catalog {

struct Wish {
  std::string system;
  std::string cpu_level;  // as cpu_level() says it; empty: unknown, builds for any CPU only
  bool allow_pre_releases = false;
};

// Newest version first; equal ones in a fixed order.
bool goes_before(const PackageBuild& a, const PackageBuild& b);

// Of the builds of one package, in that order: the newest version that the constraint admits, and of it the
// best variant that the CPU can run. Versions that lead up to a release are taken only if they are allowed,
// or nothing else satisfies. A yanked build is taken only if the constraint names its version. Null: none.
const PackageBuild* choose(const std::vector<PackageBuild>& builds, const Wish& wish,
                           const VersionConstraint& constraint);

}  // namespace flox::catalog
