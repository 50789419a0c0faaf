#include "server/records/environments.h"

#include <mutex>

#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {

struct EnvironmentRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;

  std::optional<Generation> find(const std::string& owner, const std::string& name,
                                 std::optional<int64_t> number) const {
    sqlite::Query query(
        db, number
                ? "select number, manifest, lock, pushed_at from environments where owner = ? and name = ? "
                  "and number = ?"
                : "select number, manifest, lock, pushed_at from environments where owner = ? and name = ? "
                  "order by number desc limit 1");
    query.bind(owner).bind(name);
    if (number) query.bind(*number);
    if (!query.next()) return std::nullopt;
    return Generation{.number = query.number(0),
                      .manifest = query.text(1),
                      .lock = env::Lockfile::parse(query.text(2)),
                      .pushed_at = query.text(3)};
  }
};

EnvironmentRecords::EnvironmentRecords(const std::filesystem::path& file)
    : state_(std::make_unique<State>(file)) {
  state_->db.execute(
      "create table if not exists environments (owner text not null, name text not null, number integer not "
      "null, "
      "manifest text not null, lock text not null, pushed_at text not null, primary key (owner, name, "
      "number))");
}
EnvironmentRecords::~EnvironmentRecords() = default;

Generation EnvironmentRecords::push(const std::string& owner, const std::string& name,
                                    Generation generation) {
  std::scoped_lock guard(state_->mutex);
  const std::string lock = generation.lock.to_string();
  // Another catalog may serve the same file: the number is taken and written in one statement, and looked up
  // after.
  if (const auto latest = state_->find(owner, name, std::nullopt);
      latest && latest->manifest == generation.manifest && latest->lock.to_string() == lock)
    return *latest;
  sqlite::Query insert(
      state_->db,
      "insert into environments (owner, name, number, manifest, lock, pushed_at) select ?1, ?2, "
      "coalesce(max(number), 0) + 1, ?3, ?4, ?5 from environments where owner = ?1 and name = "
      "?2 returning number");
  insert.bind(owner).bind(name).bind(generation.manifest).bind(lock).bind(generation.pushed_at);
  if (!insert.next())
    fail(ErrorKind::internal, "the catalog's database gave no number for {}/{}", owner, name);
  generation.number = insert.number(0);
  insert.next();
  return generation;
}

std::optional<Generation> EnvironmentRecords::find(const std::string& owner, const std::string& name,
                                                   std::optional<int64_t> number) const {
  std::scoped_lock guard(state_->mutex);
  return state_->find(owner, name, number);
}

}  // namespace flox::server
