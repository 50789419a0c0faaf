// Who makes a request, and what they may do.
#pragma once

#include <map>
#include <set>
#include <string>

#include "base/error.h"
#include "server/records/role.h"

namespace flox::server {

// Of one request; immutable. Nobody, at first.
struct Caller {
  bool is_operator = false;           // the token of --token-file: may do everything
  std::string user;                   // empty: nobody, or a token of an owner
  std::string token;                  // its id, for people: "flox_0123456789ab"; empty: none
  Role limit = Role::none;            // the most that the token allows
  std::map<std::string, Role> roles;  // by owner, within the limit
  std::string problem;                // why a token that was sent does not count; empty: none was sent
  std::string useless_token;          // its id, if it is one that was given out

  bool is_nobody() const noexcept { return token.empty(); }
  // For logs: "operator", the user, or the one owner of the token; empty for nobody.
  std::string name() const;
  Role role_for(const std::string& owner) const;
  bool may(Role role, const std::string& owner) const { return role_for(owner) >= role; }
  // Whether there is an owner for which the caller has that role.
  bool may_for_some_owner(Role role) const;
  // The owners for which the caller has that role.
  std::set<std::string> owners(Role role) const;
};

// A refusal that is logged and counted by its reason ("expired_token"). Its kind is untrusted.
class Refusal : public Error {
 public:
  Refusal(const char* reason, std::string message, std::string advice = {})
      : Error(ErrorKind::untrusted, std::move(message), std::move(advice)), reason_(reason) {}
  const char* reason() const noexcept { return reason_; }

 private:
  const char* reason_;  // a literal
};

}  // namespace flox::server
