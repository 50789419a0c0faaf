// What an owner has published at another catalog since it was mirrored (mirror.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "nix/store_path.h"
#include "server/database/database.h"
#include "server/records/mirrored_owners.h"
#include "server/transfer/mirror.h"

namespace flox::server {

using PathsByName = std::map<std::string, nix::StorePathSet>;

struct OwnerNews {
  MirroredOwner mirrored;  // all builds that a changed name file lists, as the other catalog has them
  PathsByName paths;       // of what has changed
  PathsByName present;     // of what was mirrored before
  // Names that are not as a node would take them, and why.
  std::vector<std::pair<std::string, Error>> left_out;
  uint64_t unsigned_generations = 0, removed_generations = 0;  // MirrorResult
  trust::Time expires;                                         // of the timestamp
};

// All of one moment, and verified as a node verifies it, also against what is here; of a name that is left
// out some of it may be there. Nothing is written but what the trust store has seen. Throws Error: untrusted,
// what the owner is, all of its names, or one of an owner that is mirrored for the first time; not_found if
// nothing that is asked for is public there; unavailable if somebody publishes there all the time.
OwnerNews read_news(const MirrorWish& wish, const MirrorSource& from, Database& here);

}  // namespace flox::server
