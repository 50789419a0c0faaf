#include "server/records/environments.h"

#include <mutex>

#include "base/error.h"
#include "server/records/database.h"

namespace flox::server {

struct EnvironmentRecords::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  NameFiles name_files{db};
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

Generation EnvironmentRecords::push(const std::string& owner, const std::string& name, Generation generation,
                                    const std::optional<StoredNameFile>& signed_by) {
  std::scoped_lock guard(state_->mutex);
  const std::string lock = generation.lock.to_string();
  // Another catalog may serve the same file.
  sqlite::Transaction transaction(state_->db);
  const auto latest = state_->find(owner, name, std::nullopt);
  if (latest && latest->manifest == generation.manifest && latest->lock.to_string() == lock) {
    if (!signed_by) return *latest;
    // The same request once more, whose answer was lost. Another signature makes another generation.
    const auto known = state_->name_files.find(owner, signed_by->name, latest->number);
    if (known && known->document == signed_by->document) return *latest;
  }
  generation.number = latest ? latest->number + 1 : 1;
  if (signed_by && signed_by->version != generation.number)
    throw Error(ErrorKind::conflict,
                fmt::format("{}/{}: the next generation is {}, and the name file is of {}: somebody else has "
                            "pushed meanwhile",
                            owner, name, generation.number, signed_by->version),
                "Read the latest generation again, and sign the next one.");
  sqlite::Query(state_->db,
                "insert into environments (owner, name, number, manifest, lock, pushed_at) values (?, ?, ?, "
                "?, ?, ?)")
      .bind(owner)
      .bind(name)
      .bind(generation.number)
      .bind(generation.manifest)
      .bind(lock)
      .bind(generation.pushed_at)
      .run();
  if (signed_by) state_->name_files.add(*signed_by, OlderNameFiles::keep);
  transaction.commit();
  return generation;
}

std::optional<Generation> EnvironmentRecords::find(const std::string& owner, const std::string& name,
                                                   std::optional<int64_t> number) const {
  std::scoped_lock guard(state_->mutex);
  return state_->find(owner, name, number);
}

std::optional<StoredNameFile> EnvironmentRecords::name_file(std::string_view owner, std::string_view name,
                                                            std::optional<int64_t> version) const {
  std::scoped_lock guard(state_->mutex);
  return state_->name_files.find(owner, name, version);
}

std::vector<NameState> EnvironmentRecords::name_states(std::string_view owner) const {
  std::scoped_lock guard(state_->mutex);
  return state_->name_files.latest(owner);
}

int64_t EnvironmentRecords::name_changes(std::string_view owner) const {
  std::scoped_lock guard(state_->mutex);
  return state_->name_files.changes(owner);
}

}  // namespace flox::server
