// Random bytes for secrets.
#pragma once

#include <cstddef>
#include <string>

namespace flox {

// Of OpenSSL's generator, which nobody can guess. Throws Error(internal) if it gives none.
std::string random_bytes(size_t count);

}  // namespace flox
