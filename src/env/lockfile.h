// manifest.lock: every package fixed to store paths (docs/formats/lockfile.md).
#pragma once  // Fuzzed by fuzz/lockfile.cc.

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/data/json.h"
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

  // From an element of "packages". Throws Error(invalid_input).
  static LockedPackage from_json(nlohmann::json entry);
  // The paths that the environment links: the outputs to install.
  nix::StorePathSet store_paths() const;
};

struct Lockfile {
  nlohmann::json manifest;  // the manifest that was locked
  std::vector<LockedPackage> packages;
  nlohmann::json other = nlohmann::json::object();  // what else the document has, such as "compose"

  // For a lock on the disk of a user; callers with untrusted locks pass smaller limits.
  static constexpr JsonLimits file_limits{.bytes = 4 << 20, .depth = 64, .values = 400'000};

  // Reads version 1 locks of Flox 1.0 to 1.15. Throws Error(invalid_input) "NAME: …".
  static Lockfile parse(std::string_view text, std::string_view name = "the lockfile",
                        const JsonLimits& limits = file_limits);
  std::string to_string() const;  // pretty JSON, two spaces, trailing newline
  // The same without spaces: never much longer than the text that it was read from, whatever its nesting.
  std::string to_compact_string() const;
  // Packages of one system, in order.
  std::vector<LockedPackage> for_system(std::string_view system) const;

 private:
  nlohmann::json document() const;
};

}  // namespace flox::env
