// The profile: the merged symlink tree of an environment's packages, itself a store path
// (docs/explanation/environments.md).
#pragma once  // Fuzzed by fuzz/pod_requests.cc.

#include "env/lockfile.h"
#include "store/local/local_store.h"

namespace flox::env {

struct ProfileLimits {
  size_t entries = 400'000;      // names that are read in directories of packages, in all
  size_t name_bytes = 32 << 20;  // of these names
  size_t depth = 64;             // levels of directories that several packages have: those of a NAR
  size_t steps = 2'000'000;      // of all links that are followed
  uint64_t compared = 1 << 30;   // bytes of files that several packages have, read to see whether they differ
};

// Builds the profile in the store; all packages' store paths must be valid. Deterministic: the same lock,
// system and mode give the same store path on any machine. Holds the merged tree (bin, lib, share, …),
// manifest.lock, and activate.d/{vars.json, hook-on-activate, hook-on-deactivate, profile-SHELL,
// deactivate-profile-SHELL, services.json}.
//
// Packages are written by others: a link of theirs is followed within the store and their own closure only,
// and only where two packages have the same name; a package that has a name that the profile itself writes
// (activate.d, manifest.lock) is refused. Throws Error: untrusted for these, naming package, file and target;
// conflict naming packages and files if two of equal priority have different files of one name, all of them;
// invalid_input over a limit.
nix::PathInfo build_profile(store::LocalStore& store, const Lockfile& lock, std::string_view system,
                            std::string_view mode, const ProfileLimits& limits = {});

}  // namespace flox::env
