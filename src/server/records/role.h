// What somebody may do for an owner: each role may do what those before it may.
#pragma once

#include <optional>
#include <string_view>

namespace flox::server {

enum class Role {
  none,
  read,     // see and fetch what is private
  publish,  // publish packages and environments
  admin,    // members, tokens, who may see what
};

constexpr std::string_view to_text(Role role) {
  switch (role) {
    case Role::read:
      return "read";
    case Role::publish:
      return "publish";
    case Role::admin:
      return "admin";
    case Role::none:
      break;
  }
  return "none";
}

// Nothing for what is none of the three.
constexpr std::optional<Role> role_of(std::string_view text) {
  for (const Role role : {Role::read, Role::publish, Role::admin})
    if (to_text(role) == text) return role;
  return std::nullopt;
}

}  // namespace flox::server
