#include "node/floxd/store_disk.h"

#include <sys/statvfs.h>

#include "base/error.h"

namespace flox::node {

// Of a store that another machine writes, what this one keeps beside it: no file server is waited for.
StoreDisk disk_of(const store::LocalStore& store) {
  struct statvfs status {};
  if (::statvfs(store.scratch_directory().c_str(), &status) != 0)
    fail_errno(errno, "reading the free space below {}", store.store_directory().string());
  return {.total = static_cast<uint64_t>(status.f_blocks) * status.f_frsize,
          .free = static_cast<uint64_t>(status.f_bavail) * status.f_frsize};
}

}  // namespace flox::node
