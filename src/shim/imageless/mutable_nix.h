// A /nix that a container's user may change (flox.dev/nix-mutable): the node's store stays as it is, below an
// overlay whose changes are the container's own, in a tmpfs, and end with it.
//
// The overlay is finished before the OCI runtime hears of it. A child of the shim makes tmpfs and overlay in
// a mount namespace of its own, where nobody else can name them, and hands out a descriptor of one detached
// tree: /nix with the overlay on /nix/store. The overlay's upper and work directories stand beside that tree
// in the same tmpfs, so no path leads to them from the container, whatever it mounts where. (An overlay of a
// tmpfs that was never attached at all, by fsmount(2), is refused by Linux 5.14 to 6.14; the namespace makes
// the same on every kernel from 5.2.)
//
// The tree is attached below the bundle, in a directory of root's with mode 0700, for as long as the OCI
// runtime needs to bind it: it lives on in the container's mount namespace.
//
// Pages and inodes of the tmpfs are charged to the memory cgroup of the process that touches them first,
// which is the container's; the size limit is there for containers without one, and so that a full /nix is
// ENOSPC, not the OOM killer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace flox::shim {

namespace fs = std::filesystem;

struct MutableNix {
  fs::path store;    // the lower directory, as the host sees it
  uint32_t uid = 0;  // the owner of /nix and /nix/store
  uint32_t gid = 0;
  uint64_t bytes = 0;  // limit of the tmpfs; 0, or more than that: half of the machine's memory
  std::string label;   // SELinux's; empty: none
};

// Makes and attaches it; the path for the OCI runtime to bind, recursively, at /nix. Throws Error:
// unavailable on kernels before Linux 5.2.
fs::path attach_mutable_nix(const MutableNix& wanted, const fs::path& bundle);

// Takes away what attach_mutable_nix left in the bundle, also of a shim that was killed. Nothing there is
// fine. Throws Error.
void detach_mutable_nix(const fs::path& bundle);

}  // namespace flox::shim
