// [include]: several manifests as one, by Flox's rules (docs/formats/manifest.md).
#pragma once  // Fuzzed by fuzz/manifest.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "env/manifest.h"

namespace flox::env {

// An element of include.environments: a directory, or an environment of the catalog.
struct IncludeDescriptor {
  std::string
      dir;  // absolute, or relative to the directory that holds the composing .flox; empty: a remote one
  std::string remote;                 // OWNER/NAME
  std::optional<int64_t> generation;  // of it; none: the latest
  std::string name;                   // empty: the included environment's own
  nlohmann::json json;                // as it is written
  std::string place;                  // "FILE:LINE:COLUMN", for messages
};

// Those of a manifest, in their order: later ones override earlier ones, and the manifest itself all. Throws
// Error(invalid_input) for what is no list of such.
std::vector<IncludeDescriptor> includes_of(const Manifest& manifest);

// An included environment as a lock keeps it.
struct IncludedManifest {
  std::string name;
  nlohmann::json manifest;    // as it was locked: merged, if it includes others itself
  nlohmann::json descriptor;  // IncludeDescriptor::json
};

struct ComposedManifest {
  nlohmann::json manifest;
  nlohmann::json warnings;  // what overrides what, as locks have it
};

// Entries of [install], [vars], [services], [build] and [plugins] replace those of the same name; scripts of
// [hook] and [profile] follow each other, those at deactivation in reverse; of [options] and
// containerize.config each member counts for itself. `composer` is the including manifest. Throws
// Error(invalid_input) for a table that is none.
ComposedManifest compose(const nlohmann::json& composer, const std::vector<IncludedManifest>& included);

}  // namespace flox::env
