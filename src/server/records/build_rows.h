// The rows of the table `builds`, for those who write them or read them all.
//
// Whoever changes a package's builds calls index_package() (records/package_index.h) at the end of the
// transaction.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "server/database/database.h"

namespace flox::server {

bool has_builds(Session& session, std::string_view package);
// The build must not be there. Of a package's first one, call note_new_name() (records/schema.h), too.
void insert_build(Session& session, const catalog::PackageBuild& build);
// What is recorded of the build with that name, version, system and variant.
void replace_build(Session& session, const catalog::PackageBuild& build);
// Unless somebody signs it.
void remove_unsigned_build(Session& session, const catalog::PackageBuild& build);

struct BuildRow {
  std::string name, version, system, variant;
  std::string record;  // JSON
};
// All builds, a page after the other, in the order of their keys. What is recorded meanwhile may be missing.
void for_each_page_of_builds(Database& database,
                             const std::function<void(const std::vector<BuildRow>&)>& take);

}  // namespace flox::server
