#include "server/records/name_files.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"

namespace flox::server {
namespace {

// The owner '' of name_changes is all of them.
constexpr const char* name_file_schema = R"(
  create table if not exists name_files (
    owner text not null, name text not null, version integer not null, sha256 text not null,
    document text not null, primary key (owner, name, version));
  create table if not exists name_changes (owner text primary key, count integer not null);
)";

StoredNameFile file_of(const sqlite::Query& query) {
  return {
      .owner = query.text(0), .name = query.text(1), .version = query.number(2), .document = query.text(3)};
}

}  // namespace

NameFiles::NameFiles(sqlite::Connection& database) : database_(database) {
  database_.execute(name_file_schema);
}

void NameFiles::add(const StoredNameFile& file, OlderNameFiles older) {
  const auto latest = find(file.owner, file.name);
  const int64_t next = latest ? latest->version + 1 : 1;
  if (older == OlderNameFiles::drop ? file.version != next : file.version < next)
    throw Error(ErrorKind::conflict,
                fmt::format("the name file of {} of {} has version {}, and the next is {}: somebody else has "
                            "published meanwhile",
                            file.name, file.owner, file.version, next),
                "Read the present name file again, and sign its next version.");
  if (older == OlderNameFiles::drop)
    sqlite::Query(database_, "delete from name_files where owner = ? and name = ?")
        .bind(file.owner)
        .bind(file.name)
        .run();
  sqlite::Query(database_, "insert into name_files values (?, ?, ?, ?, ?)")
      .bind(file.owner)
      .bind(file.name)
      .bind(file.version)
      .bind(to_hex(bytes_of(sha256(file.document))))
      .bind(file.document)
      .run();
  const sqlite::Statement count(database_,
                                "insert into name_changes values (?, 1) on conflict (owner) do update set "
                                "count = count + 1");
  for (const std::string_view owner : {std::string_view(file.owner), std::string_view()})
    count.use().bind(owner).run();
}

std::optional<StoredNameFile> NameFiles::find(std::string_view owner, std::string_view name,
                                              std::optional<int64_t> version) const {
  sqlite::Query query(database_,
                      version ? "select owner, name, version, document from name_files where owner = ? and "
                                "name = ? and version = ?"
                              : "select owner, name, version, document from name_files where owner = ? and "
                                "name = ? order by version desc limit 1");
  query.bind(owner).bind(name);
  if (version) query.bind(*version);
  return query.next() ? std::optional(file_of(query)) : std::nullopt;
}

std::vector<NameState> NameFiles::latest(std::string_view owner) const {
  sqlite::Query query(database_,
                      "select name, max(version), sha256 from name_files where owner = ? group by name order "
                      "by name");  // max: SQLite takes the other columns from that row
  query.bind(owner);
  std::vector<NameState> states;
  while (query.next())
    states.push_back({.name = query.text(0), .version = query.number(1), .sha256 = query.text(2)});
  return states;
}

std::vector<std::string> NameFiles::owners() const {
  sqlite::Query query(database_, "select owner from name_changes where owner <> '' order by owner");
  std::vector<std::string> owners;
  while (query.next()) owners.push_back(query.text(0));
  return owners;
}

int64_t NameFiles::changes(std::string_view owner) const {
  sqlite::Query query(database_, "select count from name_changes where owner = ?");
  query.bind(owner);
  return query.next() ? query.number(0) : 0;
}

}  // namespace flox::server
