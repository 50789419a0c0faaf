// A cgroup that the shim makes itself, for a pause process: on v1 one directory in each hierarchy, on v2 one.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "shim/cgroup/cgroup.h"

namespace flox::shim {

class SandboxCgroup {
 public:
  // Makes the cgroup at an absolute path below the hierarchies' roots, in which no device may be used and
  // whose cpu weight is `cpu_shares` (v1's unit; 0: the default). Throws Error; what was made is removed
  // again.
  SandboxCgroup(const std::string& path, uint64_t cpu_shares);
  // One that exists, by its directories.
  explicit SandboxCgroup(std::vector<fs::path> directories) : directories_(std::move(directories)) {}

  const std::vector<fs::path>& directories() const noexcept { return directories_; }
  // Whoever writes "0" to all of these moves there.
  std::vector<Fd> open_process_lists() const;
  std::vector<pid_t> processes() const;
  void freeze(bool frozen) const;
  // With everything below. Waits up to two seconds for the last process to leave. Throws Error.
  void remove() const;

 private:
  void make(const std::string& path, uint64_t cpu_shares);
  bool unified() const { return directories_.size() == 1; }
  std::vector<fs::path> directories_;
};

}  // namespace flox::shim
