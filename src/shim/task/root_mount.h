// The root filesystem of a container: what containerd asks to be mounted on BUNDLE/rootfs.
#pragma once

#include <filesystem>

#include "shim/protocol/task.pb.h"

namespace flox::shim {

namespace fs = std::filesystem;

class RootMount {
 public:
  explicit RootMount(fs::path bundle) : bundle_(std::move(bundle)) {}
  // Nothing to do if the request has no mounts. Throws Error; what was mounted until then stays for
  // unmount().
  void mount(const wire::CreateTaskRequest& request);
  // Trouble goes to the log: containerd tries again.
  void unmount();

 private:
  fs::path bundle_;
  bool mounted_ = false;  // by us
};

}  // namespace flox::shim
