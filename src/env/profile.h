// The profile: the merged symlink tree of an environment's packages, itself a store path (flox.md 4).
#pragma once

#include "env/lockfile.h"
#include "store/local_store.h"

namespace flox::env {

// Builds the profile in the store; all packages' store paths must be valid. Deterministic: the same lock,
// system and mode give the same store path on any machine. Holds the merged tree (bin, lib, share, …),
// manifest.lock, and activate.d/{vars.json, hook-on-activate, profile-common, profile-bash}.
// Throws Error(conflict) naming both packages if two of equal priority have a file in common.
nix::PathInfo build_profile(store::LocalStore& store, const Lockfile& lock, std::string_view system,
                            std::string_view mode);

}  // namespace flox::env
