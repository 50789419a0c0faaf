// Which start of the machine this is.
#pragma once

#include <string>

namespace flox::store {

// The kernel's random id of this boot, 36 characters. Throws Error.
std::string boot_id();

}  // namespace flox::store
