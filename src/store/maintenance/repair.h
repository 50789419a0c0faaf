// Repairing damaged paths of the store from binary caches.
#pragma once

#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// Fetches the valid path again from the first cache that has the registered NAR, and replaces the damaged
// tree by one rename: processes that have the damaged files open keep them. The registered hash is trusted,
// whoever signed it. Removes the links of .links that the damaged files share. Throws Error naming each cache
// and what it answered.
void repair(LocalStore& store, const StorePath& path, const std::vector<std::string>& caches);

}  // namespace flox::store
