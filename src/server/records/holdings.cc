#include "server/records/holdings.h"

#include <mutex>

#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr const char* holding_schema = R"(
  create table if not exists holdings (
    kind text not null, name text not null, owner text not null, is_private bigint not null, since text not null,
    primary key (kind, name));
  create index if not exists holdings_private on holdings (kind, is_private);
)";

constexpr std::string_view text_of(Kind kind) { return kind == Kind::package ? "package" : "environment"; }

}  // namespace

struct Holdings::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;

  std::optional<Holding> find(Kind kind, const std::string& name) const {
    sqlite::Query query(db, "select owner, is_private, since from holdings where kind = ? and name = ?");
    query.bind(text_of(kind)).bind(name);
    if (!query.next()) return std::nullopt;
    return Holding{.owner = query.text(0), .is_private = query.number(1) != 0, .since = query.text(2)};
  }
};

Holdings::Holdings(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {
  state_->db.execute(holding_schema);
}
Holdings::~Holdings() = default;

std::optional<Holding> Holdings::find(Kind kind, const std::string& name) const {
  const std::scoped_lock lock(state_->mutex);
  return state_->find(kind, name);
}

Holding Holdings::claim(Kind kind, const std::string& name, const Holding& holding) {
  const std::scoped_lock lock(state_->mutex);
  // Another catalog may serve the same file: written first, then looked up.
  sqlite::Query insert(
      state_->db,
      "insert into holdings (kind, name, owner, is_private, since) values (?, ?, ?, ?, ?) on "
      "conflict (kind, name) do nothing");
  insert.bind(text_of(kind)).bind(name).bind(holding.owner).bind(int64_t{holding.is_private});
  insert.bind(holding.since).run();
  if (auto found = state_->find(kind, name)) return *found;
  fail(ErrorKind::internal, "the catalog's database has no claim of {} {}", text_of(kind), name);
}

void Holdings::put(Kind kind, const std::string& name, const Holding& holding) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query insert(
      state_->db,
      "insert into holdings (kind, name, owner, is_private, since) values (?, ?, ?, ?, ?) on conflict (kind, "
      "name) do update set owner = excluded.owner, is_private = excluded.is_private");
  insert.bind(text_of(kind)).bind(name).bind(holding.owner).bind(int64_t{holding.is_private});
  insert.bind(holding.since).run();
}

bool Holdings::give(Kind kind, const std::string& name, const std::string& from, const std::string& to) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query update(
      state_->db, "update holdings set owner = ? where kind = ? and name = ? and owner = ? returning owner");
  update.bind(to).bind(text_of(kind)).bind(name).bind(from);
  return update.next();
}

bool Holdings::has_public(const std::string& owner) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select 1 from holdings where owner = ? and is_private = 0 limit 1");
  query.bind(owner);
  return query.next();
}

std::set<std::string> Holdings::hidden(Kind kind, const std::set<std::string>& readable) const {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query query(state_->db, "select name, owner from holdings where kind = ? and is_private = 1");
  query.bind(text_of(kind));
  std::set<std::string> result;
  while (query.next())
    if (!readable.contains(query.text(1))) result.insert(query.text(0));
  return result;
}

}  // namespace flox::server
