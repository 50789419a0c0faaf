// What several commands take as TARGET: an environment, a package, a store path or a pod of this node, as the
// store paths that it consists of.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "node/floxd/config.h"
#include "store/local/local_store.h"
#include "trust/sbom/bill.h"

namespace flox::cli {

struct TargetOptions {
  std::string target;  // empty: the environment in `directory`
  std::string directory = ".";
  std::string pod;  // NAMESPACE/NAME
};
// TARGET, --dir and --pod, of which one may be given.
void add_target_options(CLI::App& command, TargetOptions& options);

struct ClosureTarget {
  // What a container of a pod has leased.
  struct Leased {
    std::string container, id;
    nix::StorePathSet paths;
  };
  std::string name;                  // "pod shop/web", for people
  nix::StorePathSet roots;           // all valid
  trust::DeclaredPackages declared;  // what locks say of their packages
  std::vector<Leased> containers;    // of a pod
};

// Asks the catalog for packages and for environments of it, whose answers are verified. Changes nothing.
// Throws Error: not_found with advice for what does not exist or is not in this store.
ClosureTarget find_target(const store::LocalStore& store, const Config& config, const TargetOptions& options);

}  // namespace flox::cli
