// Checks of the owners whom this machine trusts, for the doctor: what of their signed metadata has expired,
// or will soon, and who can renew it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/doctor/doctor.h"
#include "trust/metadata.h"

namespace flox::node {

// Asks the catalog, if one is configured, for each owner's newest files. Throws Error.
std::vector<Finding> check_trust(const Config& config);

// What is said of one owner's files: the root that is trusted here, the catalog's targets.json and
// timestamp.json, unverified as they came; nothing for what was not to be had.
struct OwnerFiles {
  std::string owner;
  trust::Root root;
  std::optional<trust::Targets> targets;
  std::optional<trust::Timestamp> timestamp;
};
std::vector<Finding> check_expiry(const OwnerFiles& files, trust::Time now);

}  // namespace flox::node
