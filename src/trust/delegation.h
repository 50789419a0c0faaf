// Which delegated role answers for a name file: for who verifies it, who stores it and who is about to sign
// it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trust/metadata.h"

namespace flox::trust {

// Roles that may sign the name, in the order in which they are tried: those whose patterns cover it, up to a
// terminating one.
std::vector<const DelegatedRole*> roles_of(const Targets& targets, std::string_view name);

struct Delegation {
  std::string role;
  std::vector<std::string> keyids;  // that validly signed, at least the role's threshold
};
// The first of these roles with a threshold of valid signatures. Throws Error(untrusted), with who may sign
// as advice, if there is none.
Delegation require_delegation(const Targets& targets, const Signed<NameFile>& file);

// "alice-1 or bob-1 (role web)", for people; key ids in short for keys without a name. Empty: nobody may sign
// the name.
std::string who_may_sign(const Targets& targets, std::string_view name);

}  // namespace flox::trust
