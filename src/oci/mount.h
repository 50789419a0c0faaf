// Mounting what containerd's snapshotters hand out, and taking it away again.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace flox::oci {

namespace fs = std::filesystem;

// containerd's Mount: type "bind", "overlay", …; options as in fstab ("ro", "rbind", "lowerdir=…").
struct Mount {
  std::string type;
  std::string source;
  std::string target;  // below the root; empty: the root itself
  std::vector<std::string> options;
};

// Mounts them in order onto `root`. What was mounted before a failure is unmounted again. Throws Error.
void mount_all(const std::vector<Mount>& mounts, const fs::path& root);

// Unmounts everything at and below `path`, lazily, as often as something is mounted there. Nothing mounted,
// or no such path, is fine. Throws Error.
void unmount_all(const fs::path& path);

}  // namespace flox::oci
