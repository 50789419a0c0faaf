#include "server/records/owners.h"

#include "base/error.h"
#include "trust/names.h"

namespace flox::server {
namespace {

Role known_role(std::string_view text) { return role_of(text).value_or(Role::none); }

Owner owner_in(const Row& row) {
  return {.name = row.get<std::string>(0),
          .is_private = row.number(1) != 0,
          .created_at = row.get<std::string>(2)};
}

void require_distinct_in(Session& session, const std::string& name) {
  const std::string look = trust::look_of(name);
  session.each("select name from owners", {}, [&](const Row& row) {
    const auto other = row.get<std::string>(0);
    if (other == name || trust::look_of(other) != look) return;
    throw Error(ErrorKind::conflict,
                fmt::format("the name '{}' could be taken for the owner '{}'", name, other),
                "Choose a name that differs in more than case, separators, and characters that look alike.");
  });
}

}  // namespace

void OwnerRecords::require_distinct(const std::string& name) const {
  database_.transact(Access::statement, [&](Session& session) { require_distinct_in(session, name); });
}

bool OwnerRecords::create(const Owner& owner) {
  return database_.write([&](Session& session) {
    require_distinct_in(session, owner.name);
    return session.run(
               "insert into owners (name, is_private, created_at) values ($1, $2, $3) "
               "on conflict (name) do nothing",
               {owner.name, int64_t{owner.is_private}, owner.created_at}) == 1;
  });
}

std::optional<Owner> OwnerRecords::find(const std::string& name) const {
  return database_.transact(Access::statement, [&](Session& session) {
    std::optional<Owner> found;
    session.each("select name, is_private, created_at from owners where name = $1", {name},
                 [&](const Row& row) { found = owner_in(row); });
    return found;
  });
}

std::vector<Owner> OwnerRecords::list() const {
  return database_.transact(Access::statement, [&](Session& session) {
    std::vector<Owner> result;
    session.each("select name, is_private, created_at from owners order by name", {},
                 [&](const Row& row) { result.push_back(owner_in(row)); });
    return result;
  });
}

void OwnerRecords::put_member(const std::string& owner, const Member& member) {
  database_.write([&](Session& session) {
    session.run(
        "insert into members (owner, member, role) values ($1, $2, $3) on conflict (owner, member) do "
        "update set role = excluded.role",
        {owner, member.user, to_text(member.role)});
  });
}

bool OwnerRecords::remove_member(const std::string& owner, const std::string& user) {
  return database_.write([&](Session& session) {
    return session.run("delete from members where owner = $1 and member = $2", {owner, user}) == 1;
  });
}

std::vector<Member> OwnerRecords::members(const std::string& owner) const {
  std::vector<Member> result;
  for (auto& [user, role] : database_.rows<std::string, std::string>(
           "select member, role from members where owner = $1 order by member", {owner}))
    result.push_back({.user = std::move(user), .role = known_role(role)});
  return result;
}

std::map<std::string, Role> OwnerRecords::roles(const std::string& user) const {
  std::map<std::string, Role> result;
  for (auto& [owner, role] :
       database_.rows<std::string, std::string>("select owner, role from members where member = $1", {user}))
    result.emplace(std::move(owner), known_role(role));
  return result;
}

}  // namespace flox::server
