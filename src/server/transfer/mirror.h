// Mirroring: what an owner has signed, from another catalog into this one (docs/how-to/move-a-catalog.md).
//
// An owner's timestamp is signed by the key of the catalog to which it publishes, which the owner's root
// names; a mirror has neither that key nor the owner's. It passes the timestamp on as it is, and keeps the
// whole tree of names that it is over, so that it makes for what it mirrors the same proofs. Nodes verify a
// mirror's answers like the first catalog's; they refuse them once the timestamp has expired, so a mirror has
// to be run more often than timestamps live.
#pragma once  // Not fuzzed: of a command line; the names in it are checked by trust/names.h.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "catalog/client.h"
#include "server/api/attestations.h"
#include "server/database/database.h"
#include "server/files/cache_files.h"
#include "server/records/registered_keys.h"
#include "store/cache/binary_cache.h"
#include "trust/trust_store.h"

namespace flox::server {

// What of an owner is mirrored: patterns of names (trust/names.h), "packages/*"; none: all.
struct MirrorWish {
  std::string owner;
  std::vector<std::string> patterns;

  // "acme", "acme/packages/web*", "acme/environments/*". Throws Error(invalid_input).
  static MirrorWish parse(std::string_view text);
};

// The references must outlive it.
struct MirrorSource {
  catalog::Client& client;
  store::BinaryCache& cache;
  trust::TrustStore& trust;  // must trust the owner
};
struct MirrorInto {
  Database& database;
  CacheFiles& cache;
  const RegisteredKeys& keys;  // the cache's: one of them must have signed every path
  Attestations& attestations;
};

struct MirrorResult {
  uint64_t packages = 0, generations = 0,
           gone = 0;                  // that are new or have changed, of packages; that are new
  uint64_t unsigned_generations = 0;  // left out
  uint64_t removed_generations = 0;   // that retention has removed there before they were mirrored
  uint64_t paths = 0, bytes = 0;
  uint64_t attestations = 0, attestations_refused = 0;
  std::vector<std::pair<std::string, Error>> left_out;  // names that stay as they were here, and why
  trust::Time expires;  // of the timestamp: until then nodes take what the mirror says
};

// Files that not everyone may read here are as if they were not here: they become public only if the other
// catalog delivers the very same. A name whose store paths are refused, or that is another owner's here, is
// left out, and the others come; unless nothing of the owner would be here then.
//
// Everything is verified as a node verifies it, also against what was seen before, and copied; then all of it
// becomes visible in one transaction. What was mirrored before and is no longer asked for stays and is kept
// up to date, since one timestamp is over all of it; what is not public there any more goes. A generation
// that was mirrored stays when the other catalog's retention removes it: the rules of retention here let it
// go. Interrupted, it goes on where it was. Throws Error: untrusted, unavailable, conflict (write_mirrored).
MirrorResult mirror(const MirrorWish& wish, const MirrorSource& from, const MirrorInto& into);

}  // namespace flox::server
