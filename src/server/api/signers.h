// Who signed a build, by the keys that are registered.
#pragma once

#include <string>
#include <vector>

#include "catalog/model.h"
#include "server/files/cache_files.h"
#include "server/records/registered_keys.h"

namespace flox::server {

// Of each build the signer of all outputs, for people: the name of a registered key that may sign the
// package, or that no registered key signed them.
std::vector<std::string> signers_of(const std::vector<catalog::PackageBuild>& builds, const CacheFiles& cache,
                                    const RegisteredKeys& keys);
// Sets `signer` and `closure_size` to what the cache's files say: people decide by them. Throws Error:
// invalid_input if the closure is not in the cache, untrusted if the signer that the build names did not sign
// all outputs, or may not. Gives the closure.
std::vector<nix::NarInfo> check_claims(catalog::PackageBuild& build, const CacheFiles& cache,
                                       const RegisteredKeys& keys, const CacheAccess& access);

}  // namespace flox::server
