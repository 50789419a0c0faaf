// After the machine has stopped too soon: paths became valid before their files were on the disk
// (sync_mark.h), so each of them is compared with what was registered, and fetched again if it is damaged.
#pragma once

#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// Looks at the paths that may be damaged since the machine stopped, and mends those that are with what the
// caches have. One that no cache can mend becomes invalid, if no sound path refers to it; else it is
// remembered (STATE/flox/damaged). All is logged. Does nothing, quickly, if there are none. Throws Error if
// it cannot do its work, not for damage.
void recover(LocalStore& store, const std::vector<std::string>& caches);

// The paths that are remembered as damaged. Nearly always none.
StorePathSet damaged_paths(const LocalStore& store);

// Throws Error(conflict) if one of the paths is remembered as damaged and still is, and the caches cannot
// mend it.
void require_sound(LocalStore& store, const StorePathSet& paths, const std::vector<std::string>& caches);

}  // namespace flox::store
