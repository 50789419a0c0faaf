// What is recorded of how a package came about, whether it was built or imported
// (docs/formats/attestation.md).
#pragma once

#include <ctime>

#include "catalog/model.h"
#include "nix/path_info.h"
#include "store/local/local_store.h"
#include "trust/attestation/provenance.h"

namespace flox::package {

// What the store knows of a path. Throws Error(not_found).
nix::PathInfo info_of_input(const store::LocalStore& store, const nix::StorePath& path);
// A store path as an input, with the hash of its NAR. Throws Error(not_found).
trust::BuildInput path_input(const store::LocalStore& store, const nix::StorePath& path, const char* role);

// The provenance of a build's path, which is `info`, made on this machine until now; without inputs.
trust::BuildProvenance begin_provenance(const nix::PathInfo& info, const catalog::PackageBuild& build,
                                        std::time_t started_at);
// Adds what the path refers to, besides itself and `known`, and so ends the inputs. Throws
// Error(invalid_input) if they are more than provenance holds.
void end_inputs(trust::BuildProvenance& provenance, const store::LocalStore& store, const nix::PathInfo& info,
                const nix::StorePathSet& known = {});

}  // namespace flox::package
