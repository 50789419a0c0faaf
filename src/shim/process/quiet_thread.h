// A thread that makes system calls only, beside the shim's one thread: little stack, no signals.
#pragma once

#include <pthread.h>

#include <optional>

namespace flox::shim {

// Nothing if the kernel gives none. `body` must not allocate: a thread that does gets a heap of its own.
std::optional<pthread_t> start_quiet_thread(void* (*body)(void*), void* argument, bool detached) noexcept;

}  // namespace flox::shim
