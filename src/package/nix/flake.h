// Outputs of flakes: what `nix` evaluates and builds. Without it there is none of this.
#pragma once  // Not fuzzed: base/data/json.h has read what nix prints.

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "nix/store_path.h"

namespace flox::package {

struct FlakeOutput {
  std::map<std::string, nix::StorePath> outputs;            // "out" → path, in the store that nix was given
  std::string name, version, description, license, system;  // as its author says; empty: not said
};

// Whether the text names one: "nixpkgs#hello", ".#web", "github:NixOS/nixpkgs/nixos-24.05#jq".
bool is_flake_reference(std::string_view text) noexcept;

// Builds it with the `nix` of PATH, in the store of `root`. Throws Error: unavailable with advice if there is
// no nix, or it says no.
FlakeOutput build_flake_output(const std::string& reference, const std::filesystem::path& root);

}  // namespace flox::package
