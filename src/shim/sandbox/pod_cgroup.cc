#include "shim/sandbox/pod_cgroup.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/foreign_error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "shim/cgroup/cgroup.h"
#include "shim/cgroup/cgroup_migration.h"
#include "shim/cgroup/sandbox_cgroup.h"
#include "shim/io/shim_log.h"

namespace flox::shim {
namespace {

constexpr const char* path_file = "shim-cgroup";
constexpr size_t longest_path = 4096;

}  // namespace

PodCgroup::PodCgroup(const std::string& sandbox_id, const fs::path& bundle) {
  const fs::path own = Cgroup::of_process(::getpid()).directory("pids");
  if (own.empty()) fail(ErrorKind::unavailable, "the shim is in no cgroup");
  directory_ = own / sandbox_id;
  Directory(bundle).write_file(path_file, directory_.string(), 0600);
  if (::mkdir(directory_.c_str(), 0755) != 0 && errno != EEXIST)
    fail_errno(errno, "making the cgroup {}", directory_.string());
  move_to_cgroup(directory_ / "cgroup.procs");
}

PodCgroup::~PodCgroup() {
  try {
    move_to_cgroup(directory_.parent_path() / "cgroup.procs");
    finish_cgroup_migration();
    SandboxCgroup({directory_}).remove();
  } catch (const std::exception& error) {
    log_warning("leaving the cgroup {}: {}", directory_.string(), message_of(error));
  }
}

void PodCgroup::remove_leftovers(const fs::path& bundle) {
  const Directory directory(bundle);
  if (!directory.exists(path_file)) return;
  const fs::path cgroup = directory.read_file(path_file, longest_path);
  if (fs::exists(cgroup)) SandboxCgroup({cgroup}).remove();
}

}  // namespace flox::shim
