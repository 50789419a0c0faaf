#include "shim/process/idle_memory.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

// Set by the linker: from the program's first byte to the end of its text there is nothing that was written
// to.
extern "C" const char __executable_start, etext;

namespace flox::shim {

constexpr Milliseconds idle_time{2000};

void IdleMemory::note_activity() {
  active_ = true;
  if (!waiting_) wait();
}

void IdleMemory::wait() {
  waiting_ = true;
  active_ = false;
  timer_.expires_after(idle_time);
  timer_.async_wait([this](boost::system::error_code error) {
    waiting_ = false;
    if (error) return;
    if (active_)
      wait();
    else
      release();
  });
}

void IdleMemory::release() {
  ::malloc_trim(0);
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(&__executable_start) & ~(page - 1);
  const uintptr_t end = reinterpret_cast<uintptr_t>(&etext) & ~(page - 1);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace flox::shim
