// Makes store paths present: fetches what is missing of their closures from binary caches.
#pragma once

#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"
#include "store/peers/peer_group.h"

namespace flox::store {

struct RealiseResult {
  nix::StorePathSet closure;  // of all that was asked for; valid now
  uint64_t paths_fetched = 0;
  uint64_t bytes_fetched = 0;  // compressed, from caches and peers
  uint64_t bytes_from_peers = 0;
  uint64_t hedges = 0;         // paths that the caches were asked for although a peer was to give them
  std::vector<PeerUse> peers;  // that were asked
};

// Either the whole closure is valid afterwards or an Error says which path failed at which cache and why:
// not_found (no cache has it), untrusted (signature or hash), unavailable (caches down), invalid_input (the
// options). Nothing of a failed
// path is left behind. Every path is verified before it becomes visible by one rename; the set is registered
// in one transaction.
RealiseResult realise(LocalStore& store, const nix::StorePathSet& paths, const RealiseOptions& options);

}  // namespace flox::store
