#include "shim/process/quiet_thread.h"

#include <signal.h>

namespace flox::shim {
namespace {

constexpr size_t stack_size = 64 << 10;

}  // namespace

std::optional<pthread_t> start_quiet_thread(void* (*body)(void*), void* argument, bool detached) noexcept {
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  if (detached) ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, stack_size);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
  pthread_t thread;
  const bool started = ::pthread_create(&thread, &attributes, body, argument) == 0;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
  return started ? std::optional(thread) : std::nullopt;
}

}  // namespace flox::shim
