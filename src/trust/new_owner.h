// Beginning the signed metadata of an owner: its keys, version 1 of root.json and targets.json.
#pragma once

#include <string>
#include <vector>

#include "trust/owner_repository.h"

namespace flox::trust {

struct NewOwner {
  std::string name;
  Key timestamp_key;              // with which the catalog signs timestamps
  std::vector<Key> signing_keys;  // which may sign packages and environments
  std::string role = "publishers";
  std::vector<std::string> paths{"*"};  // what they may sign
  std::vector<Key> further_root_keys;   // of other holders
  uint64_t threshold = 1;               // root keys that must sign a change of the root
  Time root_expires, targets_expires;
};

// Makes the keys root-1 and targets-1, which are kept in the owner's directory, and signs with them and with
// `further`. Throws Error: invalid_input if so many root keys cannot sign; conflict if the owner has been
// begun here.
ChangeOutcome begin_owner(TrustStore& store, const NewOwner& owner, Signers further = {});

}  // namespace flox::trust
