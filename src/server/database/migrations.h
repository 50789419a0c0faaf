// The schema of a database, as a list of steps that only ever grows.
#pragma once

#include <functional>
#include <span>
#include <string_view>

#include "server/database/database.h"

namespace flox::server {

struct Migration {
  int64_t number;                           // 1, 2, …, without gaps
  std::string_view name;                    // "packages and environments"
  std::string_view sql;                     // statements in the common dialect (database.h)
  std::function<void(Session&)> then = {};  // what SQL alone cannot do
};

// Makes the database's schema that of the list's end: all steps that are missing, in one transaction, so
// whole or not at all, and one process at a time. The steps that were taken stand in schema_migrations.
// Throws Error: conflict if the database has steps that the list lacks, which a newer release has taken.
void migrate(Database& database, std::span<const Migration> migrations);

// Changes nothing. Throws Error(conflict) unless the schema is that of the list's end.
void require_schema(Database& database, std::span<const Migration> migrations);

}  // namespace flox::server
