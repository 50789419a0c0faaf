// Serves a mount of store paths from its files (mount_files.h), until it is unmounted.
#pragma once

#include <string>

#include "base/os/fd.h"

namespace flox::lazy {

// `device` is of the mount (fuse_mount.h). `takes_over`: another process has served it before, and what that
// did not answer is answered now. Returns when it is unmounted. Throws Error if it cannot begin; what goes
// wrong later is logged, and the reader's.
void serve_mount(const std::string& files, Fd device, bool takes_over);

}  // namespace flox::lazy
