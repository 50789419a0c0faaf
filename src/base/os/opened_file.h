// What has been opened, beside what its name stands for by now: somebody may have put another file there.
#pragma once

#include "base/os/fd.h"

namespace flox {

// Whether this process's user owns it.
bool is_own(const Fd& fd) noexcept;
// Whether it is what has that name, below the directory (AT_FDCWD: the working directory), which is not
// followed if it is a link.
bool has_name(const Fd& fd, int directory, const char* name) noexcept;

}  // namespace flox
