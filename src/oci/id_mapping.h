// Mounts whose files appear to belong to other users: what a container with a user namespace (hostUsers:
// false) has its root from. containerd's snapshotters ask for them by the options "uidmap=…" and "gidmap=…"
// (core/mount of containerd 2.x); the kernel does the work (mount_setattr(2), Linux 5.12).
#pragma once  // Not fuzzed: containerd writes these options, and numbers are all that is in them.

#include <filesystem>
#include <string>
#include <string_view>

#include "base/os/fd.h"

namespace flox::oci {

// Of "CONTAINER:HOST:SIZE", or several with commas between, what /proc/PID/uid_map takes. Throws
// Error(invalid_input).
std::string to_id_map(std::string_view option);

// A user namespace with these maps, in which no process is. It needs to be root. Throws Error.
Fd make_user_namespace(const std::string& uid_map, const std::string& gid_map);

// What is mounted at the directory, as a mount of its own that is nowhere yet, whose files belong to the
// users that the namespace gives them. Throws Error: unavailable where the kernel or the file system cannot.
Fd mapped_mount(const std::filesystem::path& directory, const Fd& user_namespace);

// Attaches a mount that is nowhere yet. Throws Error.
void attach_mount(const Fd& mount, const std::filesystem::path& target);

}  // namespace flox::oci
