// Downloads, decompresses and unpacks what the search has found, on several threads in bounded memory. The
// fetcher's side; every tree is handed to the installer when it is complete.
#pragma once

#include <vector>

#include "store/fetch/substitutes.h"

namespace flox::store {

// Throws Error: the first path's that no cache could give.
// Peers are asked first where they have a path, or will have it soon; null: there are none.
void fetch_all(const v1::FetchRequest& request, CacheList& caches, PeerGroup* peers, InstallerLink& installer,
               std::vector<Substitute> missing);

}  // namespace flox::store
