// Owners that are mirrored from another catalog: what their signed metadata says is written here as a whole,
// and nobody publishes for them here.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "catalog/model.h"
#include "server/database/database.h"
#include "server/records/environments.h"
#include "server/records/name_files.h"
#include "server/records/removal_marks.h"

namespace flox::server {

// As what `metadata` has an owner's tree of names (trust/name_tree.h), behind what signed it in the order of
// the table. Whose there is one is mirrored.
inline constexpr std::string_view names_role = "tree";

// The one gate of whoever writes what an owner has signed, or what counts as its: what is signed for a
// mirrored owner has its timestamp at another catalog, so whatever is changed here, nodes would refuse.
// Called in the transaction that writes, by the functions that all writers use: add_name_file,
// TrustRecords::put, EnvironmentRecords::push, Holdings::claim, Records. Throws Error(conflict) if the owner
// is mirrored.
//
// Older generations only go here: a tree of names has the latest of each environment, so Retention needs no
// leave to remove others.
void require_publishes_here(Session& session, std::string_view owner);
// The same of the package's owner, as it signs it, or has it without signing.
void require_package_published_here(Session& session, std::string_view package);
// Who is mirrored, by name.
std::set<std::string> mirrored_owners(Session& session);
// What it throws.
Error mirrored_elsewhere(std::string_view owner);

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
