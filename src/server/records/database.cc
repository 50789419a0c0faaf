#include "server/records/database.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

#include "base/data/sqlite.h"
#include "base/log.h"
#include "base/os/fd.h"
#include "base/os/file.h"
#include "server/database/migrations.h"
#include "server/database/postgres_database.h"
#include "server/database/sqlite_database.h"
#include "server/records/schema.h"

namespace flox::server {
namespace {

// The generations of release 0.1's own file. A crash on the way is made good by the next start: what is there
// already is passed over.
void merge_environments(Database& database, const std::filesystem::path& file) {
  size_t merged = 0;
  {
    sqlite::Connection old(
        file,
        {.name = file.filename().string(),
         .lock_timeout = std::chrono::seconds(1),
         .locked_advice = "Stop the flox-catalog of release 0.1 first: its environments are merged into "
                          "catalog.sqlite."});
    old.execute("pragma journal_mode = delete");  // fails while another process has the file open
    database.write([&](Session& session) {
      merged = 0;
      sqlite::Query query(old, "select owner, name, number, manifest, lock, pushed_at from environments");
      while (query.next()) {
        const Values values{query.view(0), query.view(1), query.number(2),
                            query.view(3), query.view(4), query.view(5)};
        const int64_t added = session.run(
            "insert into environments (owner, name, number, manifest, lock, pushed_at) "
            "values ($1, $2, $3, $4, $5, $6) on conflict (owner, name, number) do nothing",
            values);
        merged += static_cast<size_t>(added);
        if (added == 0 &&
            !session.row<int64_t>("select 1 from environments where owner = $1 and name = $2 and number = $3 "
                                  "and manifest = $4 and lock = $5 and pushed_at = $6",
                                  values))
          throw Error(ErrorKind::conflict,
                      fmt::format("{}: generation {} of {}/{} is another one than in catalog.sqlite",
                                  file.string(), query.number(2), query.text(0), query.text(1)),
                      "Restore both files from the same backup, or move the older one away.");
      }
    });
  }
  fs::rename(file, file.string() + ".merged");
  log::info(
      "{} generations of environments were merged into catalog.sqlite; the file they were in is {}.merged",
      merged, file.string());
}

// For its owner only, also if an older release has made it: it says what is private, and SQLite makes the
// files beside it of the same mode. One that is there is not opened: closing it would let go of SQLite's
// locks.
void make_private(const fs::path& file) {
  if (const Fd made(::open(file.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)); made)
    return;
  for (const char* part : {"", "-wal", "-shm"}) {
    const std::string name = file.string() + part;
    struct stat status {};
    if (::lstat(name.c_str(), &status) != 0 || !S_ISREG(status.st_mode) || (status.st_mode & 077) == 0)
      continue;
    if (::fchmodat(AT_FDCWD, name.c_str(), 0600, AT_SYMLINK_NOFOLLOW) != 0)
      log::warning("{} can be read by other users: {}", name, std::generic_category().message(errno));
  }
}

}  // namespace

std::unique_ptr<Database> open_database(const std::filesystem::path& directory) {
  const auto file = directory / "catalog.sqlite";
  make_private(file);
  auto database = open_sqlite(file);
  migrate(*database, catalog_schema());
  if (const auto old = directory / "environments.sqlite"; fs::exists(old)) merge_environments(*database, old);
  return database;
}

std::unique_ptr<Database> open_database(const std::string& url, const Secret& password) {
  auto database = open_postgres(url, password);
  migrate(*database, catalog_schema());
  return database;
}

std::unique_ptr<Database> open_present(const std::filesystem::path& directory) {
  const fs::path file = directory / "catalog.sqlite";
  if (!fs::exists(file))
    throw Error(ErrorKind::not_found,
                fmt::format("there is no catalog in {}: {} is missing", directory.string(), file.string()),
                "Pass its --data, or its --database and --files.");
  auto database = open_sqlite(file);
  require_schema(*database, catalog_schema());
  return database;
}

std::unique_ptr<Database> open_present(const std::string& url, const Secret& password) {
  auto database = open_postgres(url, password);
  require_schema(*database, catalog_schema());
  return database;
}

}  // namespace flox::server
