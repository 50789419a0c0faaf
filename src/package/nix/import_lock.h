// `flox import lock`: the packages of a manifest.lock, as packages of a catalog.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "env/lockfile.h"

namespace flox::package {

struct LockImport {
  std::vector<catalog::PackageBuild> builds;  // each once, in the order of the lock
  std::vector<std::string> left_out;          // for people, a line each
};

// What the lock's packages of these systems are in a catalog. `all_outputs`: also those that the lock does
// not install. Throws Error(invalid_input) for a package whose name no catalog can have.
LockImport builds_of_lock(const env::Lockfile& lock, const std::set<std::string>& systems, bool all_outputs);

}  // namespace flox::package
