// manifest.lock: every package fixed to store paths (shared/reference/flox.md 2).
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "env/manifest.h"
#include "nix/store_path.h"

namespace flox::env {

// One element of "packages". Members that this project does not interpret travel in `json`.
struct LockedPackage {
  std::string install_id;
  std::string attr_path;  // the catalog's name of the package
  std::string version;
  std::string system;
  std::string description;
  std::map<std::string, nix::StorePath> outputs;
  std::vector<std::string> outputs_to_install;  // empty: all
  std::string group = "toplevel";
  int priority = 5;
  nlohmann::json json;

  // The paths that the environment links: the outputs to install.
  nix::StorePathSet store_paths() const;
};

struct Lockfile {
  nlohmann::json manifest;  // the manifest that was locked
  std::vector<LockedPackage> packages;

  // Reads version 1 locks of Flox 1.0 to 1.15. Throws Error(invalid_input).
  static Lockfile parse(std::string_view text);
  std::string to_string() const;  // pretty JSON, two spaces, trailing newline
  // Packages of one system, in order.
  std::vector<LockedPackage> for_system(std::string_view system) const;
};

}  // namespace flox::env
