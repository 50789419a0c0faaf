#include "server/records/cache_readers.h"

#include <mutex>

#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr const char* reader_schema = R"(
  create table if not exists cache_readers (
    name text not null, reader text not null,  -- '' is everyone
    primary key (name, reader));
)";

}  // namespace

struct CacheReaders::State {
  explicit State(const std::filesystem::path& file) : db(open_database(file)) {}
  sqlite::Connection db;
  mutable std::mutex mutex;

  std::set<std::string> readers(const std::string& name) const {
    sqlite::Query query(db, "select reader from cache_readers where name = ?");
    query.bind(name);
    std::set<std::string> result;
    while (query.next()) result.insert(query.text(0));
    return result;
  }
  void insert(const std::string& name, const std::string& reader) const {
    sqlite::Query insert(
        db, "insert into cache_readers (name, reader) values (?, ?) on conflict (name, reader) do nothing");
    insert.bind(name).bind(reader).run();
  }
  // To those that have readers, but not everyone.
  void add(const std::vector<std::string>& names, const std::string& reader) {
    const std::scoped_lock lock(mutex);
    std::vector<std::string> restricted;
    for (const auto& name : names) {
      const auto now = readers(name);
      if (!now.empty() && !now.contains("") && !now.contains(reader)) restricted.push_back(name);
    }
    if (restricted.empty()) return;
    sqlite::Transaction transaction(db);
    for (const auto& name : restricted) insert(name, reader);
    transaction.commit();
  }
};

CacheReaders::CacheReaders(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {
  state_->db.execute(reader_schema);
}
CacheReaders::~CacheReaders() = default;

bool CacheReaders::may_read(const std::string& name, const std::set<std::string>& readers) const {
  const std::scoped_lock lock(state_->mutex);
  const auto allowed = state_->readers(name);
  if (allowed.empty() || allowed.contains("")) return true;
  for (const auto& reader : readers)
    if (allowed.contains(reader)) return true;
  return false;
}

void CacheReaders::add(const std::vector<std::string>& names, const std::string& reader) {
  state_->add(names, reader);
}

void CacheReaders::restrict_to(const std::string& name, const std::string& reader) {
  const std::scoped_lock lock(state_->mutex);
  state_->insert(name, reader);
}

void CacheReaders::make_public(const std::vector<std::string>& names) { state_->add(names, ""); }

void CacheReaders::forget(const std::string& name) {
  const std::scoped_lock lock(state_->mutex);
  sqlite::Query(state_->db, "delete from cache_readers where name = ?").bind(name).run();
}

}  // namespace flox::server
