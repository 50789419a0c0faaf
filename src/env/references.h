// What in a manifest names other things of it: variables other variables, services other services.
#pragma once  // Not fuzzed: manifests come parsed (env/manifest.h).

#include "env/manifest.h"

namespace flox::env {

// Refuses variables that name each other in a circle, and services that wait for themselves or for one that
// is not there, on this machine's system. `merged` is what counts, `places` are those of the manifest that
// people have written (Manifest::places): what comes from another one has the place of [include]. Throws
// Error(invalid_input).
void refuse_references(const Manifest& merged);

// Refuses also variables whose values cannot be expanded here, which is seen when they are used
// (env/expansion.h).
void refuse_unusable(const Manifest& merged);

}  // namespace flox::env
