// How a store path was built: an in-toto statement, version 1, with SLSA provenance, version 1
// (https://in-toto.io/Statement/v1, https://slsa.dev/provenance/v1; docs/formats/attestation.md).
#pragma once  // Fuzzed by fuzz/attestation.cc.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "nix/path_info.h"

namespace flox::trust {

// DSSE's type of a statement.
inline constexpr std::string_view statement_type = "application/vnd.in-toto+json";
// What `flox build` does, as SLSA's buildType.
inline constexpr std::string_view flox_build_type = "urn:flox-imageless:build:v1";

// SLSA's ResourceDescriptor: what a build was made from. "source", "manifest.toml" and "manifest.lock" are
// the names of a project's own; the others are store paths.
struct BuildInput {
  std::string name;
  std::string uri;  // where it came from; may be empty
  std::map<std::string, std::string>
      digests;  // algorithm to hexadecimal: sha256 (of a store path's NAR), gitCommit, dirHash1
  std::map<std::string, std::string> notes;  // "annotations"
  bool operator==(const BuildInput&) const = default;
};

struct BuildProvenance {
  nix::StorePath path;  // the statement's one subject
  Sha256Digest nar_hash{};
  std::string build_type{flox_build_type};
  std::string package, version, system, command;
  std::map<std::string, std::string> variables;  // [vars] of the manifest
  std::string sandbox;                           // "none": the command reached the whole machine
  std::vector<BuildInput> inputs;                // at most most_inputs
  std::string builder;                           // URI of who built
  std::string builder_version;                   // of flox
  std::string started_at, finished_at;           // RFC 3339, UTC
  // What each program did that was started in an empty root, by its place: "ran", "did not run: …". A
  // byproduct named "smoke-run"; empty: none was started.
  std::map<std::string, std::string> programs;

  static constexpr size_t most_inputs = 2000;
  static constexpr size_t most_programs = 1000;

  // Reads the statement of any builder: what SLSA has and is not here is passed over, as it asks of its
  // readers, and what another builder does not say is empty. Throws Error(invalid_input) for what is no
  // statement of one store path, or no SLSA provenance.
  static BuildProvenance parse(std::string_view statement);
  std::string to_string() const;  // the statement, one line

  // The input of that name; null if there is none.
  const BuildInput* input(std::string_view name) const noexcept;
};

}  // namespace flox::trust
