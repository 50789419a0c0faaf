// What an owner has published at another catalog since it was mirrored (mirror.h).
#pragma once

#include <cstdint>
#include <map>
#include <string>

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
  uint64_t unsigned_generations = 0, removed_generations = 0;  // MirrorResult
  trust::Time expires;                                         // of the timestamp
};

// All of one moment, and verified as a node verifies it, also against what is here. Nothing is written but
// what the trust store has seen. Throws Error: untrusted; not_found if nothing that is asked for is public
// there; unavailable if somebody publishes there all the time.
OwnerNews read_news(const MirrorWish& wish, const MirrorSource& from, Database& here);

}  // namespace flox::server
