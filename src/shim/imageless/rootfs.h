// Filling the (nearly empty) root of an imageless container. Every path is resolved inside the root, symbolic
// links included, so that an image's links can lead nowhere else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/os/fd.h"

namespace flox::shim {

namespace fs = std::filesystem;

class Rootfs {
 public:
  // Throws Error if the directory cannot be opened.
  explicit Rootfs(const fs::path& directory);

  bool exists(const std::string& path) const;  // of "/etc/passwd", with a dangling link counted as missing
  // Where the path leads in this root, without links (in_root.h). Throws Error.
  std::string resolve(const std::string& path) const;
  // Makes the directory and its parents (0755) unless it is there; true if it was made. Throws Error.
  bool make_directory(const std::string& path, unsigned mode = 0755, uint32_t uid = 0,
                      uint32_t gid = 0) const;
  // These two leave what exists alone, and say whether they made something. Throw Error.
  bool make_link(const std::string& path, const std::string& target) const;
  bool make_file(const std::string& path, std::string_view content, unsigned mode = 0644) const;

 private:
  Fd open_directory(const std::string& path) const;
  Fd open_parent(const std::string& path, std::string& name) const;
  std::string name_;
  Fd root_;
};

struct RuntimeTools {
  std::string store_path;   // /nix/store/…-runtime, as the container sees it
  fs::path host_directory;  // the same, where this process sees it
};

// What a container needs whose image is empty: /bin and /usr/bin with the runtime's tools (the directory
// itself is a link if the root has none, otherwise single tools that are missing are linked), /etc/passwd and
// /etc/group with root and the container's user, the certificate bundle, /tmp. Leaves everything alone that
// is there. Throws Error.
void fill_rootfs(const Rootfs& root, const RuntimeTools& tools, uint32_t uid, uint32_t gid);

}  // namespace flox::shim
