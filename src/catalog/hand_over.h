// Handing an owner's root.json and targets.json to a catalog.
#pragma once

#include "catalog/client.h"
#include "trust/owner_repository.h"

namespace flox::catalog {

struct HandedOver {
  uint64_t root = 0, targets = 0;  // the versions that the catalog has now
  bool changed = false;            // false: it had them before
};

// Every version of the root that the catalog lacks, and the newest targets. Throws Error(conflict), with
// advice, if the catalog has newer ones.
HandedOver hand_over(Client& catalog, const trust::OwnerRepository& owner);

}  // namespace flox::catalog
