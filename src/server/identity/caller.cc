#include "server/identity/caller.h"

#include <algorithm>

namespace flox::server {

std::string Caller::name() const {
  if (is_operator) return "operator";
  if (!user.empty() || roles.empty()) return user;
  return roles.begin()->first;
}

Role Caller::role_for(const std::string& owner) const {
  if (is_operator) return Role::admin;
  const auto found = roles.find(owner);
  return found == roles.end() ? Role::none : found->second;
}

bool Caller::may_for_some_owner(Role role) const {
  return is_operator || std::ranges::any_of(roles, [&](const auto& one) { return one.second >= role; });
}

std::set<std::string> Caller::owners(Role role) const {
  std::set<std::string> result;
  for (const auto& [owner, has] : roles)
    if (has >= role) result.insert(owner);
  return result;
}

}  // namespace flox::server
