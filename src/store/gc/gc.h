// Garbage collection: removes the paths that no root reaches. Nix's protocol since 2.5
// (docs/formats/store-locks.md), so that Nix and we may use, add and collect at the same time on one store.
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
  // Stop when so many bytes on the disk are free again; the longest unused paths go first.
  std::optional<uint64_t> max_freed;
  // What was in use (or registered) since then stays, with all that it refers to.
  std::optional<std::chrono::seconds> keep_newer;
  bool dry_run = false;  // say what would go, change nothing
  unsigned workers = 0;  // threads that delete files while they do not wait for the disk; 0: one a core
  // Called before each batch of deletions, with no lock held but the collector's: the place to wait while
  // something more urgent is under way. False ends the collection.
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

// Marks from the permanent, temporary and runtime roots; then, referrers first and in batches: the database
// row goes, the tree moves to the trash by one rename, and threads delete it. Killed at any point it leaves
// no valid path without its files; the next collection takes the rest away. A path that is announced
// meanwhile stays, with its closure, unless it is gone already. Others wait for a batch at most (some
// milliseconds). Throws Error if it cannot begin, or if a root cannot be read.
GcResult collect_garbage(LocalStore& store, const GcOptions& options = {});

}  // namespace flox::store
