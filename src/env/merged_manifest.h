// The manifest that counts: with [include], what it comes to with the manifests that it names.
#pragma once  // Not fuzzed: manifests and locks come parsed (env/manifest.h, env/lockfile.h).

#include <string>

#include "env/environment.h"
#include "env/locking.h"

namespace flox::env {

struct ShownManifest {
  std::string text;
  bool is_merged =
      false;  // TOML without comments, with what is included as it is locked, or else as it is now
};

// The manifest for people: as it is, also if it is damaged; merged if it includes others. Reads the
// environment's files once, and writes nothing; asks `resolver` for environments of the catalog only. Throws
// Error, also what `resolver` throws.
ShownManifest manifest_to_show(const Environment& environment, Resolver& resolver);

}  // namespace flox::env
