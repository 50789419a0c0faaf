#include "shim/cgroup/cgroup_migration.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "base/os/fd.h"
#include "shim/cgroup/cgroup.h"

namespace flox::shim {
namespace {

constexpr size_t stack_size = 64 << 10;
std::atomic<bool> under_way = false;

// The file that lists the processes of our own cgroup; empty if it cannot be told.
std::string own_processes_file() {
  try {
    const fs::path directory = Cgroup::of_process(::getpid()).directory("pids");
    return directory.empty() ? "" : (directory / "cgroup.procs").string();
  } catch (const std::exception&) {
    return {};
  }
}

void* migrate(void* file) {
  const Fd processes(::open(static_cast<const char*>(file), O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] ssize_t ignored = ::write(processes.get(), "0", 1);  // 0: the writer itself
  under_way = false;
  return nullptr;
}

}  // namespace

void expect_cgroup_migration() noexcept {
  static const std::string file = own_processes_file();  // the shim stays where it is
  if (file.empty() || under_way.exchange(true)) return;
  pthread_attr_t attributes;
  ::pthread_attr_init(&attributes);
  ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  ::pthread_attr_setstacksize(&attributes, stack_size);
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are the main thread's
  pthread_t thread;
  if (::pthread_create(&thread, &attributes, migrate, const_cast<char*>(file.c_str())) != 0)
    under_way = false;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_attr_destroy(&attributes);
}

}  // namespace flox::shim
