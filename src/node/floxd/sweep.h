// What ended containers leave behind, removed every few seconds.
#pragma once

#include "node/floxd/budgets.h"
#include "node/floxd/containers.h"
#include "node/floxd/grants.h"
#include "node/floxd/images.h"
#include "node/floxd/store_views.h"
#include "node/kept/pod_life.h"
#include "store/local/local_store.h"

namespace flox::node {

// Ends the leases of pods and containers without running processes, and forgets such pods; but not of
// containers whose end containerd tells (Container::by_nri), and of their pods. What is kept for a
// pod stays as long as `life` says.
void sweep_leases(const store::LocalStore& store, Containers& containers, Budgets& budgets, Grants& grants,
                  KeptPods& kept, PodLife& life);
// Removes the views of the store that no container uses.
void sweep_views(StoreViews& views, const Containers& containers);

}  // namespace flox::node
