// The tables of the catalog's database, from release 0.1 on. A new table is a new migration at the end of the
// list in schema.cc; one that a release had is never changed. docs/formats/catalog-database.md describes what
// comes of them all.
#pragma once

#include <span>

#include "server/database/migrations.h"

namespace flox::server {

std::span<const Migration> catalog_schema();

// A package's name and description as searching compares them: with A to Z as a to z.
std::string searched_text(std::string_view name, std::string_view description);
// There is a package of a new name: whoever remembers the names reads them again.
void note_new_name(Session& session);

}  // namespace flox::server
