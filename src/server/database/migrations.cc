#include "server/database/migrations.h"

#include "base/log.h"

namespace flox::server {

void migrate(Database& database, std::span<const Migration> migrations) {
  const auto last_step = static_cast<int64_t>(migrations.size());
  const int64_t before = database.transact(Access::migration, [&](Session& session) {
    session.script(
        "create table if not exists schema_migrations (number bigint primary key, name text not null)");
    const auto last = session.row<int64_t>("select coalesce(max(number), 0) from schema_migrations");
    const int64_t done = std::get<0>(*last);
    if (done > last_step)
      throw Error(ErrorKind::conflict,
                  fmt::format("{}: it was written by a newer flox-catalog", database.name()),
                  "Start that release, or restore the backup made before it.");
    for (const auto& migration : migrations) {
      if (migration.number <= done) continue;
      in_context(fmt::format("{}: changing the schema to {} ({})", database.name(), migration.number,
                             migration.name),
                 [&] {
                   session.script(migration.sql);
                   if (migration.then) migration.then(session);
                   session.run("insert into schema_migrations (number, name) values ($1, $2)",
                               {migration.number, migration.name});
                 });
    }
    return done;
  });
  if (before != last_step)
    log::info("{}: the schema was brought from {} to {}", database.name(), before, last_step);
}

void require_schema(Database& database, std::span<const Migration> migrations) {
  const auto last_step = static_cast<int64_t>(migrations.size());
  int64_t done = 0;
  try {
    done = std::get<0>(*database.row<int64_t>("select coalesce(max(number), 0) from schema_migrations"));
  } catch (const Error& error) {  // the table is missing, so it has no step; or nothing answers
    if (error.kind() == ErrorKind::unavailable) throw;
  }
  if (done != last_step)
    throw Error(ErrorKind::conflict,
                fmt::format("{}: its schema is at step {}, and that of this release at {}", database.name(),
                            done, last_step),
                "Use the release that serves it, or start flox-catalog of this release on it first.");
}

}  // namespace flox::server
