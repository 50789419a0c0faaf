// How an imported Debian package came about, for `flox import deb --publish` to sign
// (docs/formats/attestation.md).
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "package/debian/debian.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"
#include "trust/sbom/package_file.h"

namespace flox::package {

// What an import does, as SLSA's buildType: the .debs were unpacked, put together and relocated.
inline constexpr std::string_view deb_import_type = "urn:flox-imageless:import-deb:v1";

// `packages`: those that the path consists of. Each is an input with the SHA-256 of its .deb, the URL where
// apt has it from, its version, its purl, and where snapshot.debian.org keeps it; without a hash if its
// installed files were used. What the path refers to are inputs, too. Throws Error.
trust::BuildProvenance describe_import(const store::LocalStore& store, Debian& debian,
                                       const catalog::PackageBuild& build,
                                       const std::vector<trust::PackageEntry>& packages,
                                       std::time_t started_at);

}  // namespace flox::package
