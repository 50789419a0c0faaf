// Paths inside a container's root, as a process would see them after chroot(2): "/", ".." and symbolic links
// lead nowhere else. This is how OCI runtimes resolve a mount's destination.
//
// flox::Directory follows no link at all, which is right where we name everything ourselves. An image,
// however, may say that /bin is a link to /usr/bin, or /var/run one to /run, and must be filled where its
// programs look: that is why a container's root has a resolution of its own. What is then made there is made
// by descriptor.
#pragma once

#include <string>
#include <string_view>

#include "base/os/fd.h"

namespace flox::shim {

// An O_PATH descriptor of what is there, the last component followed, too. Empty if there is nothing, or not
// a directory where one is wanted; errno says what. By openat2(2), or by walk_in_root where the kernel
// (before Linux 5.6) or a seccomp filter has no such call.
Fd open_in_root(int root, std::string_view path, bool directory);

// The same by one open of each component; the result is equal.
Fd walk_in_root(int root, std::string_view path, bool directory);

// Where the path leads, without links, "." and "..": "/" or "/a/b". What does not exist is taken as it
// stands, for a runtime would make it. Throws Error(invalid_input) for a path that is no path (NUL, too long)
// and for one that cannot be resolved (a loop of links).
std::string resolve_in_root(int root, std::string_view path);

}  // namespace flox::shim
