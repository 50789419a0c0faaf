// Environments that a pod may realise although pods may not install (pod_install = false): the locks of the
// environments in its containers' annotations, and the package that the node gives its namespace.
#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/data/sha256.h"
#include "env/lockfile.h"

namespace flox::node {

// Thread-safe. A pod is named by the holder of its lease, "pod-ID".
class Grants {
 public:
  // The pod may realise this lock.
  void add(const std::string& pod, const env::Lockfile& lock);
  // The pod may have this package alone, as the environment `name`.
  void add_package(const std::string& pod, const std::string& name, const env::LockedPackage& package);

  // What the node realises when the pod asks for `wanted`: the granted lock that it equals, or the one of the
  // granted package whose store paths are all that it has. Names and scripts in `wanted` never decide;
  // nothing if it is no grant.
  std::optional<env::Lockfile> find(const std::string& pod, const env::Lockfile& wanted,
                                    std::string_view system) const;
  void forget(const std::string& pod);
  std::set<std::string> pods() const;

 private:
  struct Grant {
    Sha256Digest whole;     // of the lock
    Sha256Digest packages;  // of its store paths; of a lock that is granted as a whole only: of nothing
    std::string lock;
  };
  void keep(const std::string& pod, Grant grant);
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<Grant>> by_pod_;  // the latest first
};

}  // namespace flox::node
