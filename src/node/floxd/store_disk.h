// The disk that the node's store is on.
#pragma once

#include <cstdint>

#include "store/local/local_store.h"

namespace flox::node {

struct StoreDisk {
  uint64_t total = 0;  // bytes
  uint64_t free = 0;
};
// As it is now. Throws Error.
StoreDisk disk_of(const store::LocalStore& store);

}  // namespace flox::node
