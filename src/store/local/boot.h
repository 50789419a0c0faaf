// Which start of the machine this is.
#pragma once

#include <string>

namespace flox::store {

// An id of this boot: the kernel's random one, 36 characters. Where /proc is not mounted (a bare chroot)
// nobody can tell boots apart, so each process counts as a boot of its own: what it leaves is looked at
// again, which is never wrong. Throws Error.
std::string boot_id();

}  // namespace flox::store
