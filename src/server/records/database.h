// Opens the catalog's database with the tables of this release.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/data/secret.h"
#include "server/database/database.h"

namespace flox::server {

// In SQLite, the file DIRECTORY/catalog.sqlite, which is made if it is missing. What release 0.1 had in
// environments.sqlite beside it is merged into it, in one transaction; that file is then called
// environments.sqlite.merged. Throws Error: unavailable while a process of release 0.1 has it open.
std::unique_ptr<Database> open_database(const std::filesystem::path& directory);

// On a server of PostgreSQL (server/database/postgres_database.h).
std::unique_ptr<Database> open_database(const std::string& url, const Secret& password);

// The same for who only reads, with the schema of this release as it is there. Throws Error: not_found if
// there is no database, conflict for one of another release.
std::unique_ptr<Database> open_present(const std::filesystem::path& directory);
std::unique_ptr<Database> open_present(const std::string& url, const Secret& password);

}  // namespace flox::server
