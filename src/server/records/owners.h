// The owners of packages and environments (organisations, teams), and their members.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/database/database.h"
#include "server/records/role.h"

namespace flox::server {

struct Owner {
  std::string name;         // as an environment's owner (catalog/environment_name.h)
  bool is_private = false;  // what it publishes from now on is for its members only
  std::string created_at;   // RFC 3339, UTC
};

struct Member {
  std::string user;  // as the catalog knows people: the issuer's claim (identity/login.h)
  Role role = Role::read;
};

// Thread-safe.
class OwnerRecords {
 public:
  // The database (records/database.h) must outlive it.
  explicit OwnerRecords(Database& database) : database_(database) {}

  // False if there is an owner of that name: nothing changes then. Throws Error(conflict) if there is one
  // whose name people could take for it (trust::look_of).
  bool create(const Owner& owner);
  // Throws as create() does.
  void require_distinct(const std::string& name) const;
  std::optional<Owner> find(const std::string& name) const;
  std::vector<Owner> list() const;  // by name
  // Adds the member, or gives it another role.
  void put_member(const std::string& owner, const Member& member);
  // False if it is not one.
  bool remove_member(const std::string& owner, const std::string& user);
  std::vector<Member> members(const std::string& owner) const;  // by name
  // Of the user, by owner.
  std::map<std::string, Role> roles(const std::string& user) const;

 private:
  Database& database_;
};

}  // namespace flox::server
