// The newest build of each package, in a small table of its own: searching and listing names read that, and
// not every build that there ever was.
#pragma once

#include <string>
#include <string_view>

#include "server/database/database.h"

namespace flox::server {

// For the schema (schema.h): the tables, what brings their rows into the order of searches, and what fills
// them from the builds that are there.
extern const std::string_view package_index_tables;
extern const std::string_view package_index_in_order;
void index_all_packages(Session& session);

// Brings the package's rows up to date; for the end of each transaction that adds or removes one of its
// builds, or changes whose it is.
void index_package(Session& session, std::string_view name);

}  // namespace flox::server
