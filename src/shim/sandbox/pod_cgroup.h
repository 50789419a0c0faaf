// The cgroup by which floxd sees that a pod is there (node/floxd/containers.h): it looks for a process whose
// cgroup bears the sandbox's id. A pause process has one of that name; where there is none, the shim goes
// into one, below the cgroup in which it is, so that nothing else changes: it gets no controller.
#pragma once

#include <filesystem>
#include <string>

namespace flox::shim {

class PodCgroup {
 public:
  // Makes the cgroup and has the shim moved there, which takes 8 ms and happens behind: on cgroup v1 in the
  // hierarchy of pids. Writes its path into BUNDLE/shim-cgroup. Throws Error.
  PodCgroup(const std::string& sandbox_id, const std::filesystem::path& bundle);
  // Moves the shim back and removes the cgroup; failures are logged.
  ~PodCgroup();
  PodCgroup(const PodCgroup&) = delete;
  PodCgroup& operator=(const PodCgroup&) = delete;

  // What a shim that was killed left behind; nothing to do if this bundle has none. Throws Error.
  static void remove_leftovers(const std::filesystem::path& bundle);

 private:
  std::filesystem::path directory_;
};

}  // namespace flox::shim
