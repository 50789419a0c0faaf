// Store paths from a binary cache into the catalog's own.
#pragma once

#include <cstdint>

#include "nix/narinfo.h"
#include "server/files/cache_files.h"
#include "store/cache/binary_cache.h"

namespace flox::server {

struct CopiedPaths {
  uint64_t copied = 0, present = 0;  // paths
  uint64_t bytes = 0;                // of NAR files that were fetched
};

struct CopyOptions {
  // Also bring what is there together with what it refers to: its signatures may be others. Else what the
  // catalog has is not asked for, since it has its closure, too.
  bool merge_signatures = false;
  // Also ask for what is here, and follow what the source says that it refers to: there it must be the same.
  bool compare_present = false;
  // For whom: what it may not read is as if it were not here. It is fetched like the rest, and opened only
  // once the source has delivered it (CacheFiles::accept).
  const CacheAccess& access = open_access;
  unsigned workers = 4;  // NARs that are fetched at once
};

// Copies the closure of `paths`: every NAR, then the narinfos, each after those that it refers to, so that a
// path appears with its closure. All of it is checked as an upload is (CacheFiles::accept): signatures, too,
// against the catalog's registered keys. A NAR gets the name of its own hash here, whatever it is called
// there. Interrupted, it goes on where it was when it is called again. Throws Error: not_found for a path
// that the source lacks; untrusted; conflict for one that is here with other content; unavailable.
CopiedPaths copy_paths(store::BinaryCache& from, CacheFiles& to, const nix::StorePathSet& paths,
                       const CopyOptions& options = {});

}  // namespace flox::server
