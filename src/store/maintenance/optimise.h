// Equal files stored once: hard links by way of .links, as Nix's own optimiser makes them
// (docs/formats/store-locks.md).
#pragma once

#include <cstdint>
#include <functional>

#include "store/local/local_store.h"

namespace flox::store {

struct OptimiseResult {
  uint64_t files = 0;         // looked at
  uint64_t files_linked = 0;  // that became another name of an equal file
  uint64_t bytes_saved = 0;   // on the disk
  uint64_t links_mended = 0;  // damaged files of .links that were replaced
};

// Over all valid paths, on all cores. The contents are compared before a file gives way to its twin, so that
// a damaged file spreads nowhere. Files that their owner may write are left alone, as in Nix; so are those
// where the file system's limit of links is reached. May be killed at any point: each file is replaced by one
// rename. `on_path` is called after each path, one call at a time.
OptimiseResult optimise(LocalStore& store, const std::function<void()>& on_path = {});

}  // namespace flox::store
