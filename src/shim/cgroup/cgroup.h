// A container's control group: what it uses (Stats), and when the kernel kills in it for want of memory.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shim/process/waiting.h"
#include "shim/protocol/task.pb.h"

namespace flox::shim {

namespace fs = std::filesystem;

class Cgroup {
 public:
  // The directories of all hierarchies that are mounted whole: mount point of each, without "unified" of a
  // hybrid set-up.
  static std::vector<fs::path> hierarchies();
  // Where a process is now, from /proc/PID/cgroup. Throws Error(not_found) if the process is gone.
  static Cgroup of_process(pid_t pid);
  // The one at this absolute path of every hierarchy, whether it is there or not.
  static Cgroup at(const std::string& path);

  // True on a unified (v2) hierarchy.
  bool unified() const noexcept { return unified_; }
  // The directory of a v1 controller ("memory"), or of the unified hierarchy; empty if there is none.
  fs::path directory(const std::string& controller) const;

  // On v2, lets the container's cgroup have every controller of the machine, also those for which the OCI
  // runtime had no use, so that stats() has their numbers. A controller that the kernel refuses stays off.
  void enable_controllers() const;

  // io.containerd.cgroups.v1.Metrics or .v2.Metrics. Throws Error(not_found) if the cgroup is gone.
  wire::Any stats() const;

 private:
  bool unified_ = false;
  std::map<std::string, fs::path> directories_;  // by controller; "" is the unified hierarchy
};

// What enable_controllers() does, for a unified hierarchy mounted at `root`: writes the subtree_control files
// of `root` and of what lies between it and `directory`, where something is missing.
void enable_controllers(const fs::path& root, const fs::path& directory);

// Calls back for every time the kernel killed a process of the cgroup for want of memory, until it is
// destroyed or the cgroup goes. v1: an eventfd on memory.oom_control; v2: inotify on memory.events.
class OomWatch {
 public:
  // Throws Error if the kernel refuses.
  OomWatch(const Executor& executor, const Cgroup& cgroup, std::function<void()> on_oom);
  ~OomWatch();
  // Calls back now for what the kernel has counted or told but the event loop has not seen.
  void check();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace flox::shim
