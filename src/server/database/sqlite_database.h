// The database in a file, for one catalog on one machine.
#pragma once

#include <filesystem>

#include "server/database/database.h"

namespace flox::server {

// What was published stays published: commits are on the disk when they return. The file may be one of
// release 0.1, which had no schema_migrations: what a migration commits is refused by that release from then
// on. Throws Error: conflict for the file of a later release.
std::unique_ptr<Database> open_sqlite(std::filesystem::path file);

}  // namespace flox::server
