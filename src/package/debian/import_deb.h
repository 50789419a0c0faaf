// `flox import deb`: Debian packages as packages of a catalog.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "package/debian/debian.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"

namespace flox::package {

struct ImportedPackage {
  catalog::PackageBuild build;  // name, version, system, description, outputs, closure size
  std::vector<std::string>
      from_installed;  // Debian packages whose installed files had to be used, for want of a mirror
  std::optional<trust::BuildProvenance> provenance;  // provenance.h; if it was asked for
};

// Imports each named package with the libraries that it needs (docs/explanation/packages.md), and keeps it
// from the collector with a root gcroots/flox-imports/NAME. The same .debs give the same store paths on any
// machine. `with_provenance` asks apt for the URLs of the .debs, too. Throws
// Error(not_found) for an unknown package before anything is imported.
std::vector<ImportedPackage> import_deb(store::LocalStore& store, const std::vector<std::string>& names,
                                        const DebianOptions& options = {}, bool with_provenance = false);

// The directory layout of Debian's architecture: "x86_64-linux" or "aarch64-linux", of this machine.
std::string system_of_this_machine();

}  // namespace flox::package
