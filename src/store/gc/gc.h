// Garbage collection: removes the paths that no root reaches. Uses Nix's protocol since 2.5
// (docs/formats/store-locks.md): Nix and flox may use, add and collect paths of one store at the same time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

struct GcOptions {
  // Stop after freeing this many bytes on the disk; the longest unused paths go first.
  std::optional<uint64_t> max_freed;
  // Keep paths that were in use or registered within this time, and their closures.
  std::optional<std::chrono::seconds> keep_newer;
  bool dry_run = false;  // report what would be removed, change nothing
  unsigned workers = 0;  // threads that delete files while they do not wait for the disk; 0: one per core
  // Called before each batch of deletions, while only the GC lock is held: it may wait while more urgent work
  // runs. False ends the collection.
  std::function<bool()> before_batch;
};

struct GcResult {
  std::vector<StorePath> removed;  // valid paths that are gone, or with dry_run would be
  uint64_t nar_bytes = 0;          // sum of their NAR sizes
  uint64_t bytes_freed = 0;        // on the disk; 0 with dry_run
  uint64_t litter = 0;             // further entries of the store directory: half-made trees, stale locks
  uint64_t links_removed = 0;      // files of .links that nothing uses any more
  uint64_t failures = 0;           // files that could not be deleted; the reasons are logged
  size_t paths_kept = 0;
};

// Marks from the permanent, temporary and runtime roots. Then, referrers first and in batches, removes the
// database row, moves the tree to the trash by one rename, and deletes it in threads. A process that is
// killed at any point leaves no valid path without its files; the next collection removes the rest. A path
// that a client announces meanwhile stays, with its closure, unless it is gone already. Other processes wait
// for one batch at most (some milliseconds). Throws Error if it cannot begin, or if a root cannot be read.
GcResult collect_garbage(LocalStore& store, const GcOptions& options = {});

}  // namespace flox::store
