// The catalog's SQLite files.
#pragma once

#include <filesystem>

#include "base/data/sqlite.h"

namespace flox::server {

// Opens or makes the file. What was published stays published: commits are on the disk when they return.
// Throws Error.
sqlite::Connection open_database(const std::filesystem::path& file);

}  // namespace flox::server
