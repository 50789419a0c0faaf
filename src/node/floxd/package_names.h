// Which package a store path is. A pod writes its lock itself, so the names in it say nothing: a path is
// called as the catalog calls it.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
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

  // What the catalog has answered: this version of the package is these paths, and who has signed that. The
  // paths never change.
  void remember(const env::LockedPackage& package, const policy::Provenance& provenance);
  // What the pod asks for with this element of its lock: the package that it says, if the catalog says the
  // same, or else the bare store paths. Asks the catalog at most once (`pod`: confined_catalog.h). Throws
  // Error(unavailable) if it does not answer.
  std::vector<policy::Asked> asked_with(const env::LockedPackage& package, const PodAnswers* pod);
  // What is proved of the package, if it is what its lock calls it. As above.
  policy::Provenance provenance_of(const env::LockedPackage& package, const PodAnswers* pod);

 private:
  using Clock = std::chrono::steady_clock;
  struct Known {
    policy::Provenance provenance;
    Clock::time_point checked_at;
  };
  // Nothing if it is not known by all of its paths.
  std::optional<Known> known(const env::LockedPackage& package) const;
  // What is proved of the package; nothing if it is not what its lock calls it.
  std::optional<policy::Provenance> look_up(const env::LockedPackage& package, const PodAnswers* pod);
  const Environments& environments_;
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;  // by "NAME VERSION PATH"
};

}  // namespace flox::node
