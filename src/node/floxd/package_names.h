// Which package a store path is. A pod writes its lock itself, so the names in it say nothing: a path is
// called as the catalog calls it.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "env/lockfile.h"
#include "node/floxd/environments.h"
#include "node/policy/decision.h"

namespace flox::node {

// Thread-safe.
class PackageNames {
 public:
  explicit PackageNames(const Environments& environments) : environments_(environments) {}

  // What the catalog has answered: this version of the package is these paths. That never changes.
  void remember(const env::LockedPackage& package);
  // What the pod asks for with this element of its lock: the package that it says, if the catalog says the
  // same, or else the bare store paths. Asks the catalog at most once. Throws Error(unavailable) if it does
  // not answer.
  std::vector<policy::Asked> asked_with(const env::LockedPackage& package);

 private:
  bool knows(const env::LockedPackage& package) const;
  const Environments& environments_;
  mutable std::mutex mutex_;
  std::set<std::string> known_;  // "NAME VERSION PATH"
};

}  // namespace flox::node
