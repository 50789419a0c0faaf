// Checks of the owners whom this machine trusts, for the doctor: what of their signed metadata has expired,
// or will soon, and who can renew it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "node/doctor/doctor.h"
#include "trust/metadata.h"
#include "trust/trust_store.h"
#include "trust/verifier.h"

namespace flox::node {

// Asks the catalog, if one is configured, for each owner's newest files. Throws Error.
std::vector<Finding> check_trust(const Config& config);

// What is said of one owner's files: the root that is in force, and the catalog's targets.json and
// timestamp.json, verified as a node verifies them but for their expiry; nothing for what is not available.
struct OwnerFiles {
  std::string owner;
  trust::Root root;
  std::optional<trust::Targets> targets = std::nullopt;
  std::optional<trust::Timestamp> timestamp = std::nullopt;
  std::optional<Error> refusal = std::nullopt;  // why the catalog's files are refused
};
// With the evidence's files, or with the reason why they are refused. Writes nothing down. Throws Error for
// what is no metadata.
OwnerFiles with_verified(OwnerFiles files, const trust::Evidence& evidence, trust::TrustStore& store,
                         trust::Time now);
std::vector<Finding> check_expiry(const OwnerFiles& files, trust::Time now);

}  // namespace flox::node
