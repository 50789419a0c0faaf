// Leases: what keeps a running container's closure from the collector. A lease is a directory of ordinary GC
// roots, STATE/gcroots/flox/HOLDER/, so that Nix's own collector honours it too.
#pragma once

#include <string>
#include <vector>

#include "store/local/local_store.h"

namespace flox::store {

// A holder is a container or pod id: letters, digits, '-', '_', '.'; throws Error(invalid_input) otherwise,
// as all of these do.
void check_holder(std::string_view holder);
// Adds the paths (their closures follow from the roots) to the holder's lease. Throws Error(not_found) if one
// is not valid; the lease stays as it was then.
void add_lease(const LocalStore& store, std::string_view holder, const StorePathSet& paths);
// The same for paths that are expected to be valid, without temporary roots and what opening them takes: only
// while no collector runs. False if one does, or if a path is not valid; nothing is changed then.
bool add_lease_of_present(const LocalStore& store, std::string_view holder, const StorePathSet& paths);
// The same by the quicker way that is possible now, for paths that something else keeps valid meanwhile.
void lease_present(const LocalStore& store, std::string_view holder, const StorePathSet& paths);
// Takes these paths out of the lease, which ends with its last one; what is not in it is passed over.
void release_paths(const LocalStore& store, std::string_view holder, const StorePathSet& paths);
// Ends the lease; missing is fine.
void release_lease(const LocalStore& store, std::string_view holder);

// What the holder has leased; nothing if it has no lease.
StorePathSet leased_paths(const LocalStore& store, std::string_view holder);

struct Lease {
  std::string holder;
  StorePathSet paths;
};
// By holder. What is not a lease in that directory is passed over.
std::vector<Lease> list_leases(const LocalStore& store);

}  // namespace flox::store
