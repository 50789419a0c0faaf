// Recording what needs paths of the cache while garbage is collected (records/removal_marks.h).
#pragma once

#include <utility>

#include "server/files/cache_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// Calls `publish`, which looks for what it needs in the cache and records it, and again if garbage was
// collected meanwhile. `needed` gives what is recorded: paths, or their digests (records/needed_paths.h).
// Throws LookAgain if that happens all the time.
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
