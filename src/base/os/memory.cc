#include "base/os/memory.h"

#include <malloc.h>

namespace flox {
namespace {

constexpr int kept = 64 << 20;  // bytes

}  // namespace

void keep_freed_memory() noexcept {
  // Setting one of them ends glibc's own adaptation of both.
  ::mallopt(M_MMAP_THRESHOLD, kept / 4);
  ::mallopt(M_TRIM_THRESHOLD, kept);
}

void share_arenas() noexcept { ::mallopt(M_ARENA_MAX, 2); }

void return_freed_memory() noexcept { ::malloc_trim(0); }

}  // namespace flox
