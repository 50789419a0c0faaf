#include "server/records/cache_readers.h"

namespace flox::server {
namespace {

constexpr const char* everyone = "";

std::set<std::string> readers_in(Session& session, const std::string& name) {
  std::set<std::string> result;
  session.each("select reader from cache_readers where name = $1", {name},
               [&](const Row& row) { result.insert(row.get<std::string>(0)); });
  return result;
}

void insert_reader(Session& session, const std::string& name, const std::string& reader) {
  session.run(
      "insert into cache_readers (name, reader) values ($1, $2) on conflict (name, reader) do nothing",
      {name, reader});
}

}  // namespace

bool CacheReaders::may_read(const std::string& name, const std::set<std::string>& readers) const {
  const auto allowed =
      database_.transact(Access::statement, [&](Session& session) { return readers_in(session, name); });
  if (allowed.empty() || allowed.contains(everyone)) return true;
  for (const auto& reader : readers)
    if (allowed.contains(reader)) return true;
  return false;
}

// To those that have readers, but not everyone.
void CacheReaders::add(const std::vector<std::string>& names, const std::string& reader) {
  database_.write([&](Session& session) {
    for (const auto& name : names) {
      const auto now = readers_in(session, name);
      if (!now.empty() && !now.contains(everyone) && !now.contains(reader))
        insert_reader(session, name, reader);
    }
  });
}

void CacheReaders::restrict_to(const std::string& name, const std::string& reader) {
  database_.write([&](Session& session) { insert_reader(session, name, reader); });
}

void CacheReaders::make_public(const std::vector<std::string>& names) { add(names, everyone); }

void CacheReaders::forget(const std::string& name) {
  database_.write(
      [&](Session& session) { session.run("delete from cache_readers where name = $1", {name}); });
}

}  // namespace flox::server
