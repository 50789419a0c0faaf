#include "server/records/cache_readers.h"

#include <algorithm>

namespace flox::server {
namespace {

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

std::optional<std::string> CacheReaders::share(Session& session, const std::vector<std::string>& names,
                                               const std::set<std::string>& own, const std::string& reader) {
  std::vector<const std::string*> without;
  for (const auto& name : names) {
    const auto now = readers_in(session, name);
    if (now.empty() || now.contains(everyone)) continue;
    if (std::ranges::none_of(own, [&](const auto& one) { return now.contains(one); })) return name;
    if (!now.contains(reader)) without.push_back(&name);
  }
  for (const auto* name : without) insert_reader(session, *name, reader);
  return std::nullopt;
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
