// Storing equal files once: hard links through .links, as Nix's optimiser makes them
// (docs/formats/store-locks.md).
#pragma once

#include <cstdint>
#include <functional>

#include "store/local/local_store.h"

namespace flox::store {

struct OptimiseResult {
  uint64_t files = 0;         // compared
  uint64_t files_linked = 0;  // that became another name of an equal file
  uint64_t bytes_saved = 0;   // on the disk
  uint64_t links_mended = 0;  // damaged files of .links that were replaced
};

// Optimises all valid paths, on all cores. Compares contents before it replaces a file by a link, so that a
// damaged file does not spread. Leaves files alone that their owner may write, as Nix does, and those where
// the file system's limit of links is reached. May be killed at any point: each file is replaced by one
// rename. Calls `on_path` after each path, one call at a time.
OptimiseResult optimise(LocalStore& store, const std::function<void()>& on_path = {});

}  // namespace flox::store
