// Mending damaged paths of the store with what binary caches have.
#pragma once

#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// Fetches the valid path again from the first of the caches that gives the NAR that was registered, and puts
// it in the place of what is there by one rename: whoever has the damaged files open keeps them. What the
// store has registered is what is trusted, whoever signed it. Links of .links that the damaged files share
// are dropped. Throws Error naming each cache and what it said.
void repair(LocalStore& store, const StorePath& path, const std::vector<std::string>& caches);

}  // namespace flox::store
