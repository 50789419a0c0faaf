// Which store paths something that is recorded needs: the roots of the catalog's garbage collection.
#pragma once

#include <functional>
#include <initializer_list>
#include <set>
#include <string>
#include <string_view>

#include "server/database/database.h"

namespace flox::server {

// Calls `take` with the digest of each store path that stands in a recorded build, or in the manifest or lock
// of a generation, more than once for some. What is recorded meanwhile may be missing.
void for_each_needed_path(Database& database, const std::function<void(std::string_view digest)>& take);

// Of one record: of a build as it is recorded, or of a generation. Who records it looks for these.
std::set<std::string> paths_needed_by(std::initializer_list<std::string_view> texts);

// Calls `take` with the digest of each store path in the text, whatever stands around it: what only looks
// like one keeps a path too many.
void for_each_store_path(std::string_view text, const std::function<void(std::string_view digest)>& take);

}  // namespace flox::server
