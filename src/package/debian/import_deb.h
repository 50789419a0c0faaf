// `flox import deb`: Debian packages as packages of a catalog.
#pragma once  // Not fuzzed: the one text is a word of a command line, which is cut at its first "=".

#include <string>
#include <string_view>
#include <vector>

#include "package/debian/debian.h"
#include "package/imported/imported_package.h"
#include "store/local/local_store.h"

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

// Imports each named package with what it needs (docs/explanation/packages.md), and keeps it from the
// collector with a root gcroots/flox-imports/NAME. The same .debs give the same store paths on any machine.
// Throws Error(not_found) for an unknown package or version before anything is imported.
std::vector<ImportedPackage> import_deb(store::LocalStore& store, const std::vector<WantedPackage>& wanted,
                                        const ImportOptions& options = {});

}  // namespace flox::package
