// Changing who may sign what: on the content of root.json and targets.json, before it is signed.
//
// Every call throws Error: not_found for a role or key that there is not, conflict for what is so already,
// invalid_input for what would leave a role that nobody could fulfil. Keys that no role names any more go.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "trust/metadata.h"

namespace flox::trust {

// The key by its name, or by its id or the first 8 or more digits of that. Throws Error(not_found), with
// those that there are; conflict if several fit.
std::string find_key(const Keys& keys, std::string_view text);

// A key more for the role, which is made if `paths` are given and there is none: with its patterns, and in
// front of the others if it is terminating. `threshold` 0: as it is, or 1.
struct DelegatedKey {
  std::string role;
  Key key;
  std::vector<std::string> paths;
  uint64_t threshold = 0;
  bool terminating = false;
};
void add_key(Targets& targets, const DelegatedKey& added);
// "web-*" stands for packages and environments: packages/web-*, environments/web-*.
std::vector<std::string> full_patterns(const std::vector<std::string>& patterns);

// One key instead of another: in one role of the root ("root", "targets", or "timestamp", which is
// snapshot's, too), or in a delegated role.
void replace_key(Root& root, std::string_view role, const std::string& old_id, const Key& key);
void replace_key(Targets& targets, std::string_view role, const std::string& old_id, const Key& key);

// Takes the key from every role. The names of the roles that had it; a delegated role that has no other key
// goes as a whole. What only the catalog's online key, or too few keys, would be left for is refused: that
// needs a rotation.
std::vector<std::string> revoke_key(Root& root, const std::string& id);
std::vector<std::string> revoke_key(Targets& targets, const std::string& id);

}  // namespace flox::trust
