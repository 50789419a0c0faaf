// What flox verify finds out of a closure: who signed each path, and how its packages were built.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/closure_target.h"
#include "trust/attestation/check.h"
#include "trust/sbom/bill.h"

namespace flox::cli {

// One path of the closure.
struct VerifiedPath {
  trust::Component component;
  bool is_package = false;  // a root, or one that a lock names
  trust::SignatureCheck signatures;
  bool only_built_here = false;  // and nobody has signed it in this store
  std::vector<trust::AttestationCheck> attestations;
  std::vector<std::string> problems;  // what does not hold, one line each

  const trust::BuildProvenance* provenance() const;
  // Whether all that does not hold is that this machine, which built it, has not signed it.
  bool only_lacks_own_signature() const;
};

struct Verification {
  std::string name;
  std::vector<ClosureTarget::Leased> containers;
  std::vector<VerifiedPath> paths;  // by path
  std::string unasked;              // why the catalog was not asked for attestations; empty if it was
  bool contents_read = false;

  nlohmann::json to_json() const;
};

struct VerifyOptions {
  TargetOptions target;
  bool contents = true;             // read every file and compare it with its hash
  bool require_signatures = false;  // of every path
  bool require_provenance = false;  // of every package
};

// Throws Error if the target cannot be found; what does not hold is in the answer.
Verification verify_target(const VerifyOptions& options);

}  // namespace flox::cli
