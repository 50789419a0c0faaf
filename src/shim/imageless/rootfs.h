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

// Numbers as the machine has them.
struct Owner {
  uint32_t uid = 0;
  uint32_t gid = 0;
};

class Rootfs {
 public:
  // What is made belongs to `owner`: in a container with a user namespace not to the machine's root. Throws
  // Error if the directory cannot be opened.
  explicit Rootfs(const fs::path& directory, Owner owner = {});

  bool exists(const std::string& path) const;  // of "/etc/passwd", with a dangling link counted as missing
  // Where the path leads in this root, without links (in_root.h). Throws Error.
  std::string resolve(const std::string& path) const;
  // Makes the directory and its parents (0755) unless it is there; true if it was made. Throws Error.
  bool make_directory(const std::string& path, unsigned mode = 0755) const {
    return make_directory(path, mode, owner_);
  }
  bool make_directory(const std::string& path, unsigned mode, Owner owner) const;
  // These two leave what exists alone, and say whether they made something. Throw Error.
  bool make_link(const std::string& path, const std::string& target) const;
  bool make_file(const std::string& path, std::string_view content, unsigned mode = 0644) const;

 private:
  Fd open_directory(const std::string& path) const;
  Fd open_parent(const std::string& path, std::string& name) const;
  std::string name_;
  Owner owner_;
  Fd root_;
};

struct RuntimeTools {
  std::string store_path;   // /nix/store/…-runtime, as the container sees it
  fs::path host_directory;  // the same, where this process sees it
};

// The user whom a container's process runs as: as the container has the numbers, and as the machine has them.
struct ContainerUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  Owner on_host = {};
};

// What a container needs whose image is empty: /bin and /usr/bin with the runtime's tools (the directory
// itself is a link if the root has none, otherwise single tools that are missing are linked), /etc/passwd and
// /etc/group with root and the container's user, the certificate bundle, /tmp. Leaves everything alone that
// is there. Throws Error.
void fill_rootfs(const Rootfs& root, const RuntimeTools& tools, const ContainerUser& user);

}  // namespace flox::shim
