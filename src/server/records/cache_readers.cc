#include "server/records/cache_readers.h"

#include <algorithm>
#include <map>

#include "nix/cache_layout.h"
#include "server/records/in_list.h"
#include "server/records/removal_marks.h"

namespace flox::server {
namespace {

// Of the files that have any.
std::map<std::string, std::set<std::string>> readers_in(Session& session,
                                                        const std::vector<std::string>& names) {
  std::map<std::string, std::set<std::string>> result;
  each_in(session, "select name, reader from cache_readers where name", names,
          [&](const Row& row) { result[row.get<std::string>(0)].insert(row.get<std::string>(1)); });
  return result;
}

void insert_reader(Session& session, const std::string& name, const std::string& reader) {
  session.run(
      "insert into cache_readers (name, reader) values ($1, $2) on conflict (name, reader) do nothing",
      {name, reader});
}

}  // namespace

std::set<std::string> CacheReaders::unreadable(const std::vector<std::string>& names,
                                               const std::set<std::string>& readers) const {
  std::set<std::string> result;
  for (const auto& [name, allowed] :
       database_.transact(Access::statement, [&](Session& session) { return readers_in(session, names); }))
    if (!allowed.contains(everyone) &&
        std::ranges::none_of(readers, [&](const auto& reader) { return allowed.contains(reader); }))
      result.insert(name);
  return result;
}

std::optional<std::string> CacheReaders::share(Session& session, const std::vector<std::string>& names,
                                               const std::set<std::string>& own, const std::string& reader) {
  std::vector<std::string> without;
  for (const auto& [name, now] : readers_in(session, names)) {
    if (now.contains(everyone)) continue;
    if (std::ranges::none_of(own, [&](const auto& one) { return now.contains(one); })) return name;
    if (!now.contains(reader)) without.push_back(name);
  }
  for (const auto& name : without) insert_reader(session, name, reader);
  return std::nullopt;
}

// To those that have readers, but not everyone.
void CacheReaders::add(const std::vector<std::string>& names, const std::string& reader) {
  database_.write([&](Session& session) {
    for (const auto& [name, allowed] : readers_in(session, names))
      if (!allowed.contains(everyone) && !allowed.contains(reader)) insert_reader(session, name, reader);
  });
}

void CacheReaders::restrict_to(const std::string& name, const std::string& reader) {
  database_.write([&](Session& session) {
    if (const auto digest = nix::digest_of_narinfo_name(name)) RemovalMarks::claim(session, *digest);
    insert_reader(session, name, reader);
  });
}

void CacheReaders::make_public(const std::vector<std::string>& names) { add(names, everyone); }

}  // namespace flox::server
