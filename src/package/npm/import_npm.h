// `flox import npm`: a package of npm with all that it needs, as a package of a catalog
// (docs/explanation/packages.md).
#pragma once

#include <map>
#include <string>

#include "package/debian/debian.h"
#include "package/imported/imported_package.h"
#include "store/local/local_store.h"

namespace flox::package {

inline constexpr const char* default_npm_registry = "https://registry.npmjs.org";

struct NpmImport {
  std::string wanted;                       // "express", "@scope/name"
  std::string spec = "latest";              // version, range or tag
  std::map<std::string, std::string> pins;  // name → version of what it needs
  std::string name;                         // of the package; empty: npm's, "@scope/name" as "scope-name"
  std::string registry = default_npm_registry;
  DebianOptions debian;  // where the interpreter and libraries come from
  std::string command;   // as it can be repeated
  bool with_provenance = false;
  bool run_programs = true;
};

// "NAME@SPEC" taken apart; the spec may be missing. Throws Error(invalid_input).
struct NpmWanted {
  std::string name, spec;
};
NpmWanted npm_wanted(const std::string& text);

// Each package becomes a store path that refers to those that it sees; packages that see each other in a
// circle share one. One more has the programs of the wanted one. No script of any package is run but its
// programs, in an empty root. The same tarballs and interpreter give the same paths on any machine. Throws
// Error as resolve_npm() does, before anything is imported.
ImportedPackage import_npm(store::LocalStore& store, const NpmImport& import);

}  // namespace flox::package
