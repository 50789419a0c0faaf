#include "shim/cgroup/cgroup_migration.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "base/os/fd.h"
#include "shim/cgroup/cgroup.h"
#include "shim/process/quiet_thread.h"

namespace flox::shim {
namespace {

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

void end_migration() noexcept {
  under_way = false;
  under_way.notify_one();
}

void* migrate(void* file) {
  const Fd processes(::open(static_cast<const char*>(file), O_WRONLY | O_CLOEXEC));
  [[maybe_unused]] ssize_t ignored = ::write(processes.get(), "0", 1);  // 0: the writer itself
  end_migration();
  return nullptr;
}

// Where we are or are on the way to. While something is under way it does not change.
std::string& processes_file() {
  static std::string file = own_processes_file();
  return file;
}

}  // namespace

void expect_cgroup_migration() noexcept {
  std::string& file = processes_file();
  if (file.empty() || under_way.exchange(true)) return;
  if (!start_quiet_thread(migrate, file.data(), true)) end_migration();
}

void move_to_cgroup(const std::filesystem::path& file) {
  finish_cgroup_migration();
  processes_file() = file.string();
  under_way = true;
  if (!start_quiet_thread(migrate, processes_file().data(), true)) migrate(processes_file().data());
}

void finish_cgroup_migration() noexcept { under_way.wait(true); }

}  // namespace flox::shim
