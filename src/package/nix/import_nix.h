// `flox import nix`: store paths that Nix made, as packages of a catalog.
#pragma once  // Not fuzzed: words of a command line, of which nothing is kept but a store path.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "package/imported/imported_package.h"
#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"

namespace flox::package {

// A store path's name as Nix splits it (builtins.parseDrvName): "openssl-3.0.7-bin" → "openssl", "3.0.7-bin".
// Without a version the whole is the name.
struct NameAndVersion {
  std::string name, version;
};
NameAndVersion split_store_name(std::string_view name);

// The store path that is meant: "/nix/store/…", a path below one, or a link, such as nix-build's `result`,
// that leads to one. Throws Error(invalid_input) with advice.
nix::StorePath store_path_meant(const std::string& text);

// Where paths come from that are not in the store, in this order.
struct PathSource {
  std::optional<std::filesystem::path> nix_root;  // of another store on this machine
  store::RealiseOptions caches;                   // whose signatures are checked; no caches: none is asked
};

// Makes the closures valid, all of them or none. Throws Error.
void obtain_paths(store::LocalStore& store, const nix::StorePathSet& paths, const PathSource& source);

struct PathImport {
  catalog::PackageBuild build;  // without closure size
  std::string command;          // as it can be repeated
  bool run_programs = true;
  bool with_provenance = false;
};

// What comes of paths that are in the store: keeps them from the collector, runs the programs in an empty
// root if they are of this machine's system, says where they came from.
ImportedPackage import_paths(store::LocalStore& store, const PathImport& import, const PathSource& source);

}  // namespace flox::package
