// `flox import deb`: Debian packages as packages of a catalog.
#pragma once  // Not fuzzed: the one text is a word of a command line, which is cut at its first "=".

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"
#include "package/debian/debian.h"
#include "package/debian/smoke.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"

namespace flox::package {

// "nodejs" or "nodejs=18.20.4+dfsg-1~deb12u1".
struct WantedPackage {
  std::string name;
  std::string version;  // empty: the one that the repository installs
  static WantedPackage parse(std::string_view text);
};

struct ImportOptions {
  DebianOptions debian;
  bool with_provenance = false;  // asks for the URLs of the .debs, too
  bool run_programs = true;      // smoke.h
};

struct ImportedPackage {
  catalog::PackageBuild build;              // name, version, system, description, outputs, closure size
  std::vector<std::string> from_installed;  // Debian packages whose installed files were used
  std::optional<std::vector<SmokeResult>> programs;  // nothing: they were not run
  std::optional<trust::BuildProvenance> provenance;  // provenance.h; if it was asked for
};

// Imports each named package with what it needs (docs/explanation/packages.md), and keeps it from the
// collector with a root gcroots/flox-imports/NAME. The same .debs give the same store paths on any machine.
// Throws Error(not_found) for an unknown package or version before anything is imported.
std::vector<ImportedPackage> import_deb(store::LocalStore& store, const std::vector<WantedPackage>& wanted,
                                        const ImportOptions& options = {});

// Refuses to publish what does not run: Error(invalid_input) if a program could not be loaded or crashed, or
// if none ran.
void check_programs(const ImportedPackage& package);

// The directory layout of Debian's architecture: "x86_64-linux" or "aarch64-linux", of this machine.
std::string system_of_this_machine();

}  // namespace flox::package
