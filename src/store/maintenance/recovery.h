// Recovery after the machine stopped before the files of new paths were on the disk (sync_mark.h): verifies
// each of these paths and repairs the damaged ones.
#pragma once

#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// Verifies the unsynced paths of before the stop and repairs the damaged ones from the caches. A path that no
// cache can repair becomes invalid if no sound path refers to it; otherwise it is recorded in
// STATE/flox/damaged. Logs all of this. Returns at once if there are no unsynced paths. Throws Error if it
// cannot verify, not for damage.
void recover(LocalStore& store, const std::vector<std::string>& caches);

// The paths that are recorded as damaged. Nearly always none.
StorePathSet damaged_paths(const LocalStore& store);

// Throws Error(conflict) if one of the paths is recorded as damaged, still is, and the caches cannot repair
// it.
void require_sound(LocalStore& store, const StorePathSet& paths, const std::vector<std::string>& caches);

}  // namespace flox::store
