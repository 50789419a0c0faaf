// Environments of the catalog that are used without a directory of their own.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "env/environment.h"

namespace flox::cli {

// The environment as the catalog has it now, verified, in this user's cache directory. `reference` is
// OWNER/NAME or OWNER/NAME:GENERATION; empty: where the environment of `directory` came from. `generation` 0:
// the latest, or the reference's. A catalog that cannot be reached is said on stderr, and what is in the
// cache is taken. Throws Error, with advice in a pod, which has floxd instead of a catalog.
env::Environment remote_environment(const std::string& reference, const std::string& directory,
                                    int64_t generation);

// Whether an environment's directory is one of that cache.
bool is_remote_environment(const std::filesystem::path& directory);

}  // namespace flox::cli
