// What `flox build` records of a build, for `flox publish` to sign (docs/formats/attestation.md).
#pragma once

#include <ctime>
#include <filesystem>
#include <optional>
#include <string>

#include "package/build/build.h"
#include "trust/attestation/provenance.h"

namespace flox::package {

// Who built, and from what besides the request.
struct BuildCircumstances {
  trust::BuildInput sources;                     // look_at_sources(), before the command ran
  std::map<std::string, std::string> variables;  // [vars] of the manifest
  std::string builder;                           // URI; empty: this host's
  std::time_t started_at = 0;
};

// The provenance of a build that has just been made. Its inputs are the sources, manifest.toml and
// manifest.lock, the packages of the environment and what the result refers to, each with the hash of its
// NAR; what these need in turn follows from their references, which their signatures cover. Throws Error.
trust::BuildProvenance describe_build(const store::LocalStore& store, const BuildRequest& request,
                                      const catalog::PackageBuild& build,
                                      const BuildCircumstances& circumstances);

// PROJECT/result-NAME.provenance.json, the statement.
void leave_provenance(const std::filesystem::path& project, const std::string& name,
                      const trust::BuildProvenance& provenance);
// What was left there; nothing if there is no such file. Throws Error(conflict) if it is of another build
// than `build`, invalid_input if it is no provenance.
std::optional<trust::BuildProvenance> find_provenance(const store::LocalStore& store,
                                                      const std::filesystem::path& project,
                                                      const catalog::PackageBuild& build);

}  // namespace flox::package
