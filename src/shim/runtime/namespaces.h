// Entering a sandbox's namespaces: by a process that was cloned for it (pause_process.h) or by a thread
// (namespace_thread.h).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/os/fd.h"
#include "oci/sandbox_spec.h"

namespace flox::shim {

// Everything that enter() uses, opened before: that makes system calls only.
struct NamespacePlan {
  int created = 0;          // CLONE_NEW… flags, for clone(2) or unshare(2)
  bool new_cgroup = false;  // a cgroup namespace comes later, when who enters is in its cgroup
  std::vector<std::pair<Fd, int>> joined;
  std::string hostname;
  std::vector<std::pair<std::string, std::string>> sysctl_files;  // "/proc/sys/net/…", value

  // Throws Error if a namespace to be joined cannot be opened.
  static NamespacePlan of(const oci::SandboxSpec& spec);
};

enum class EnterStep { done, join_namespace, hostname, sysctl };

// Joins, names and sets, for the calling thread alone; what is `created` it must be in already. The step that
// failed with errno, or `done`.
EnterStep enter(const NamespacePlan& plan) noexcept;

// Writes a file of /proc with one system call. False with errno.
bool write_at_once(const char* path, const std::string& value) noexcept;

}  // namespace flox::shim
