// Recording what needs paths of the cache while garbage is collected (records/removal_marks.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "nix/narinfo.h"
#include "server/files/cache_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// Of a closure, as LookedFor has them.
inline std::vector<std::string> digests_of(const std::vector<nix::NarInfo>& closure) {
  std::vector<std::string> digests;
  digests.reserve(closure.size());
  for (const auto& narinfo : closure) digests.emplace_back(narinfo.info.path.digest());
  return digests;
}

// Calls `publish`, which looks for what it needs in the cache and records it, and again if garbage was
// collected meanwhile. `needed` gives the paths that are published. Throws LookAgain if that happens all the
// time.
template <typename Publish, typename Needed>
auto looking_again(const CacheFiles& cache, Publish&& publish, Needed&& needed) {
  constexpr int most_looks = 10;
  for (int look = 1;; ++look) try {
      return publish();
    } catch (const LookAgain&) {
      if (look == most_looks) throw;
      cache.keep(needed());
    }
}

}  // namespace flox::server
