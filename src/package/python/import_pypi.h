// `flox import pypi`: a distribution of a Python index with all that it needs, as a package of a catalog
// (docs/explanation/packages.md).
#pragma once

#include <string>
#include <vector>

#include "package/debian/debian.h"
#include "package/imported/imported_package.h"
#include "package/python/index.h"
#include "package/python/requirement.h"
#include "store/local/local_store.h"

namespace flox::package {

struct PypiImport {
  PythonRequirement wanted;
  std::vector<PythonRequirement> pins;  // conditions on what it needs
  std::string name;                     // of the package; empty: the project's
  std::string index = default_python_index;
  DebianOptions debian;  // where the interpreter and libraries come from
  std::string command;   // as it can be repeated
  bool with_provenance = false;
  bool run_programs = true;
};

// Each wheel becomes a store path; one more has the programs of the wanted one, which find all of them. The
// same wheels and interpreter give the same paths on any machine. Throws Error as resolve_python() does,
// before anything is imported.
ImportedPackage import_pypi(store::LocalStore& store, const PypiImport& import);

}  // namespace flox::package
