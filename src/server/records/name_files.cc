#include "server/records/name_files.h"

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "server/records/in_list.h"
#include "server/records/mirrored_owners.h"

namespace flox::server {

void add_name_file(Session& session, const StoredNameFile& file, OlderNameFiles older) {
  require_publishes_here(session, file.owner);
  const auto latest = find_name_file(session, file.owner, file.name);
  const int64_t next = latest ? latest->version + 1 : 1;
  if (older == OlderNameFiles::drop ? file.version != next : file.version < next)
    throw Error(ErrorKind::conflict,
                fmt::format("the name file of {} of {} has version {}, and the next is {}: somebody else has "
                            "published meanwhile",
                            file.name, file.owner, file.version, next),
                "Read the present name file again, and sign its next version.");
  write_name_file(session, file, older);
}

void write_name_file(Session& session, const StoredNameFile& file, OlderNameFiles older) {
  if (older == OlderNameFiles::drop)
    session.run("delete from name_files where owner = $1 and name = $2", {file.owner, file.name});
  const std::string sha256_text = to_hex(bytes_of(sha256(file.document)));
  session.run("insert into name_files (owner, name, version, sha256, document) values ($1, $2, $3, $4, $5)",
              {file.owner, file.name, file.version, sha256_text, file.document});
  // The owner '' is all of them.
  for (const std::string_view owner : {std::string_view(file.owner), std::string_view()})
    session.run(
        "insert into name_changes (owner, changes) values ($1, 1) on conflict (owner) do update set "
        "changes = name_changes.changes + 1",
        {owner});
}

std::optional<StoredNameFile> find_name_file(Session& session, std::string_view owner, std::string_view name,
                                             std::optional<int64_t> version) {
  auto found = version ? session.row<int64_t, std::string>(
                             "select version, document from name_files where owner = $1 and name = $2 and "
                             "version = $3",
                             {owner, name, *version})
                       : session.row<int64_t, std::string>(
                             "select version, document from name_files where owner = $1 and name = $2 order "
                             "by version desc limit 1",
                             {owner, name});
  if (!found) return std::nullopt;
  return StoredNameFile{.owner = std::string(owner),
                        .name = std::string(name),
                        .version = std::get<0>(*found),
                        .document = std::move(std::get<1>(*found))};
}

std::optional<StoredNameFile> NameFiles::find(std::string_view owner, std::string_view name,
                                              std::optional<int64_t> version) const {
  return database_.transact(Access::statement,
                            [&](Session& session) { return find_name_file(session, owner, name, version); });
}

std::map<std::string, StoredNameFile> NameFiles::of_packages(std::string_view owner,
                                                             const std::vector<std::string>& names) const {
  return database_.read([&](Session& session) {
    std::map<std::string, StoredNameFile> files;
    each_in(session, "select owner, name, version, document from name_files where name", names,
            [&](const Row& row) {
              if (row.text(0) != owner) return;
              StoredNameFile file{.owner = std::string(owner),
                                  .name = row.get<std::string>(1),
                                  .version = row.get<int64_t>(2),
                                  .document = row.get<std::string>(3)};
              std::string name = file.name;
              files.emplace(std::move(name), std::move(file));
            });
    return files;
  });
}

std::vector<NameState> NameFiles::latest(std::string_view owner) const {
  std::vector<NameState> states;
  for (auto& [name, version, sha256] : database_.rows<std::string, int64_t, std::string>(
           "select name, version, sha256 from name_files as it where owner = $1 and version = (select "
           "max(version) from name_files as each_one where each_one.owner = it.owner and each_one.name = "
           "it.name) order by name",
           {owner}))
    states.push_back({.name = std::move(name), .version = version, .sha256 = std::move(sha256)});
  return states;
}

int64_t NameFiles::changes(std::string_view owner) const {
  const auto found = database_.row<int64_t>("select changes from name_changes where owner = $1", {owner});
  return found ? std::get<0>(*found) : 0;
}

}  // namespace flox::server
