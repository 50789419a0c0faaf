#include "server/records/owners.h"

#include <mutex>

#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr const char* owner_schema = R"(
  create table if not exists owners (
    name text not null primary key, is_private bigint not null, created_at text not null);
  create table if not exists members (
    owner text not null, member text not null, role text not null, primary key (owner, member));
  create index if not exists members_by_name on members (member);
)";

Role known_role(std::string_view text) { return role_of(text).value_or(Role::none); }

Owner owner_in(const sqlite::Query& query) {
  return {.name = query.text(0), .is_private = query.number(1) != 0, .created_at = query.text(2)};
}

}  // namespace

struct OwnerRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;
};

OwnerRecords::OwnerRecords(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {
  state_->db.execute(owner_schema);
}
OwnerRecords::~OwnerRecords() = default;

bool OwnerRecords::create(const Owner& owner) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query insert(
      state_->db,
      "insert into owners (name, is_private, created_at) values (?, ?, ?) on conflict (name) do "
      "nothing");
  insert.bind(owner.name).bind(int64_t{owner.is_private}).bind(owner.created_at);
  return insert.run() == 1;
}

std::optional<Owner> OwnerRecords::find(const std::string& name) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select name, is_private, created_at from owners where name = ?");
  query.bind(name);
  return query.next() ? std::optional(owner_in(query)) : std::nullopt;
}

std::vector<Owner> OwnerRecords::list() const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select name, is_private, created_at from owners order by name");
  std::vector<Owner> result;
  while (query.next()) result.push_back(owner_in(query));
  return result;
}

void OwnerRecords::put_member(const std::string& owner, const Member& member) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query insert(
      state_->db,
      "insert into members (owner, member, role) values (?, ?, ?) on conflict (owner, member) do "
      "update set role = excluded.role");
  insert.bind(owner).bind(member.user).bind(to_text(member.role)).run();
}

bool OwnerRecords::remove_member(const std::string& owner, const std::string& user) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query remove(state_->db, "delete from members where owner = ? and member = ?");
  return remove.bind(owner).bind(user).run() == 1;
}

std::vector<Member> OwnerRecords::members(const std::string& owner) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select member, role from members where owner = ? order by member");
  query.bind(owner);
  std::vector<Member> result;
  while (query.next()) result.push_back({.user = query.text(0), .role = known_role(query.view(1))});
  return result;
}

std::map<std::string, Role> OwnerRecords::roles(const std::string& user) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select owner, role from members where member = ?");
  query.bind(user);
  std::map<std::string, Role> result;
  while (query.next()) result.emplace(query.text(0), known_role(query.view(1)));
  return result;
}

}  // namespace flox::server
