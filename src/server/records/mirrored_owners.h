// Owners that are mirrored from another catalog: what their signed metadata says is written here as a whole,
// and nobody publishes for them here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/model.h"
#include "server/database/database.h"
#include "server/records/environments.h"
#include "server/records/name_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// As what `metadata` has an owner's tree of names (trust/name_tree.h), behind what signed it in the order of
// the table. Whose there is one is mirrored.
inline constexpr std::string_view names_role = "tree";

struct MirroredPackage {
  StoredNameFile file;
  std::vector<catalog::PackageBuild> builds;  // all that it lists
};
struct MirroredGeneration {
  StoredNameFile file;
  std::string environment;
  Generation generation;
};

// What has changed since the last time.
struct MirroredOwner {
  std::string owner;
  std::vector<std::pair<int64_t, std::string>> roots;  // version and document, ascending, from the first
  std::pair<int64_t, std::string> targets;
  std::pair<int64_t, std::string> names;  // the version is its timestamp's
  std::vector<MirroredPackage> packages;
  std::vector<MirroredGeneration> generations;
  std::vector<std::string> gone;  // names (packages/…, environments/…) that are not public there any more
};

// Writes all of it, or nothing. What is written is public. Throws Error(conflict) if this catalog has the
// owner itself, if a package is another owner's here, or for names that are older than what is here;
// LookAgain.
void write_mirrored(Database& database, const MirroredOwner& mirrored, const LookedFor& looked = {});

}  // namespace flox::server
