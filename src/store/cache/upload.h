// Publishing closures to binary caches: how, beyond what binary_cache.h offers.
#pragma once

#include <functional>

#include "nix/signature.h"
#include "store/cache/binary_cache.h"
#include "store/cache/compress.h"
#include "store/local/local_store.h"

namespace flox::store {

struct UploadProgress {
  uint64_t paths_total = 0;
  uint64_t paths_done = 0;
  uint64_t bytes_total = 0;  // of NARs
  uint64_t bytes_done = 0;
};

struct UploadOptions {
  const nix::SecretKey* key = nullptr;  // signs every narinfo; without one the store's signatures go along
  Compression compression;
  // Refuse paths, of those that the cache lacks, whose links lead out of their closures: Error(untrusted).
  // What is published is checked; copying a store, with what others built, is not the place to judge them.
  bool links_stay_inside = false;
  bool listings = false;  // also write DIGEST.ls, what is in each NAR and where
  unsigned workers = 0;   // 0: one per core
  std::function<void(const UploadProgress&)> on_progress;  // from any worker, one call at a time
};

// Uploads the closure: each NAR, then its narinfo after those of its references, so that a path that the
// cache has, it has with all that it refers to. Each NAR is read once: hashed, compressed and hashed again as
// it streams into a temporary file. Throws Error; untrusted if a path's files are no longer what was
// registered.
UploadResult upload_closure(const LocalStore& store, BinaryCache& cache, const nix::StorePathSet& closure,
                            const UploadOptions& options);
}  // namespace flox::store
