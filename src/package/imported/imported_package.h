// What an import gives, wherever the package comes from.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "package/imported/smoke.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"

namespace flox::package {

// One of the distributions of another package manager that a package consists of.
struct ImportedPart {
  std::string name, version;
  nix::StorePath path;
};

struct ImportedPackage {
  catalog::PackageBuild build;              // name, version, system, description, outputs, closure size
  std::vector<std::string> from_installed;  // Debian packages whose installed files were used
  std::vector<ImportedPart> parts;          // of pypi and npm; the named one first
  std::optional<std::vector<SmokeResult>> programs;  // nothing: they were not run
  std::optional<trust::BuildProvenance> provenance;  // if it was asked for
};

// Refuses to publish what does not run: Error(invalid_input) if a program could not be loaded or crashed, or
// if none ran.
void check_programs(const ImportedPackage& package);

// Notes in the provenance, if there is any, what the programs did.
void record_programs(ImportedPackage& package);

// Keeps the path from the collector by a root gcroots/flox-imports/NAME, replaced as a whole. `name` is a
// file's.
void keep_import(const store::LocalStore& store, const std::string& name, const nix::StorePath& path);

// A licence for a record of the catalog: empty if it is too long for one.
std::string recorded_license(std::string license);

// "x86_64-linux" or "aarch64-linux", of this machine.
std::string system_of_this_machine();

}  // namespace flox::package
