// The manifest that counts: with [include], what it comes to with the manifests that it names.
#pragma once  // Not fuzzed: manifests and locks come parsed (env/manifest.h, env/lockfile.h).

#include <optional>
#include <string>

#include "env/environment.h"
#include "env/locking.h"

namespace flox::env {

// The manifest of the lock that make_lock() gives. Asks for no packages.
nlohmann::json merged_manifest(const LockRequest& request, Resolver& resolver);

// As TOML without comments, with what is included as it is locked, or else as it is now. Nothing if the
// manifest includes none, and nothing if it is damaged: then it is to be looked at as it is. Writes nothing;
// asks `resolver` for environments of the catalog only. Throws Error, also what `resolver` throws.
std::optional<std::string> merged_manifest_text(const Environment& environment, Resolver& resolver);

}  // namespace flox::env
