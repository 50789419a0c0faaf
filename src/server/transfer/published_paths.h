// Store paths that the catalog's records need.
#pragma once

#include "nix/store_path.h"
#include "server/database/database.h"

namespace flox::server {

// What all generations of environments have locked. They may come from other caches than the catalog's.
nix::StorePathSet paths_of_environments(Database& database);

}  // namespace flox::server
