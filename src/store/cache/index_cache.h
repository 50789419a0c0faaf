// Gives the paths of a cache that others filled NARs in frames, and indexes (docs/formats/nar-index.md).
#pragma once

#include <cstdint>
#include <functional>

#include "nix/signature.h"
#include "store/cache/binary_cache.h"

namespace flox::store {

struct IndexCacheOptions {
  const nix::SecretKey* key = nullptr;  // signs the indexes, and nothing else
  int level = 0;                        // of zstd; 0: the usual one
  unsigned workers = 0;                 // 0: one per core
  std::function<void(uint64_t done, uint64_t total)> on_progress =
      {};  // paths; from any worker, one call at a time
};

struct IndexCacheResult {
  uint64_t indexed = 0;  // paths
  uint64_t present = 0;  // had an index that the key has signed
  uint64_t bytes = 0;    // of the NAR files that were written
};

// Each path of these closures, or of the whole cache if there are none: its NAR is read from the cache,
// written back in frames with its index, and then named by its narinfo in place of the file that it had,
// which stays. The path's own signatures stay as they are. Throws Error: invalid_input if all paths of a
// cache are asked for that cannot be listed (only file:// can), untrusted if a NAR is not what its narinfo
// says; what is done by then stays done.
IndexCacheResult index_cache(BinaryCache& cache, const nix::StorePathSet& paths,
                             const IndexCacheOptions& options);

}  // namespace flox::store
