#include "trust/delegation.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace flox::trust {
namespace {

std::string display_name(const Keys& keys, const std::string& id) {
  constexpr size_t short_id = 12;
  const auto key = keys.find(id);
  return key == keys.end() || key->second.name.empty() ? id.substr(0, short_id) : key->second.name;
}

}  // namespace

std::vector<const DelegatedRole*> roles_of(const Targets& targets, std::string_view name) {
  std::vector<const DelegatedRole*> roles;
  for (const DelegatedRole& role : targets.roles) {
    if (!role.covers(name)) continue;
    roles.push_back(&role);
    if (role.terminating) break;
  }
  return roles;
}

Delegation require_delegation(const Targets& targets, const Signed<NameFile>& file) {
  for (const DelegatedRole* role : roles_of(targets, file.content.name)) {
    std::vector<std::string> keyids = valid_signers(file.message, file.signatures, targets.keys, *role);
    if (keyids.size() >= role->threshold) return {role->name, std::move(keyids)};
  }
  const std::string allowed = who_may_sign(targets, file.content.name);
  throw Error(ErrorKind::untrusted,
              fmt::format("the name file of {} is not signed by keys that {} has delegated it to",
                          file.content.name, targets.owner),
              allowed.empty() ? fmt::format("{} has delegated this name to nobody: flox trust add-key does.",
                                            targets.owner)
                              : fmt::format("It may be signed by {}.", allowed));
}

std::string who_may_sign(const Targets& targets, std::string_view name) {
  std::vector<std::string> texts;
  for (const DelegatedRole* role : roles_of(targets, name)) {
    std::vector<std::string> names;
    for (const std::string& id : role->keyids) names.push_back(display_name(targets.keys, id));
    texts.push_back(role->threshold == 1 ? fmt::format("{} (role {})", fmt::join(names, " or "), role->name)
                                         : fmt::format("{} of {} (role {})", role->threshold,
                                                       fmt::join(names, ", "), role->name));
  }
  return fmt::format("{}", fmt::join(texts, ", or "));
}

}  // namespace flox::trust
