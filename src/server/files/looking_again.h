// Recording what needs paths of the cache while garbage is collected (records/removal_marks.h).
#pragma once

#include <cstdint>

#include "server/files/cache_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// Takes the marks off what `needed` gives, which is what is recorded: paths, or their digests
// (records/needed_paths.h). Then calls `publish`, which looks for it in the cache and records it as looked
// for after the `times` that it is given (LookedFor); all of it again if garbage was collected meanwhile.
// Throws LookAgain if that happens all the time.
template <typename Publish, typename Needed>
auto looking_again(const CacheFiles& cache, Publish&& publish, Needed&& needed) {
  constexpr int most_looks = 10;
  for (int look = 1;; ++look) try {
      const int64_t times = cache.marks().times();
      cache.keep(needed());
      return publish(times);
    } catch (const LookAgain&) {
      if (look == most_looks) throw;
    }
}

}  // namespace flox::server
