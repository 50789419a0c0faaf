#include "store/local/store_connection.h"

namespace flox::store {
namespace {

// As Nix itself creates them; the comments in the text are for whoever looks with sqlite3.
constexpr const char* schema = R"(
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null, -- "sha256:" and hexadecimal digits
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null: false
    sigs             text, -- space-separated
    ca               text -- the content address, if the path has one
);
create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
create index if not exists IndexReferrer on Refs(referrer);
create index if not exists IndexReference on Refs(reference);
create trigger if not exists DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end;
create table if not exists DerivationOutputs (
    drv  integer not null,
    id   text not null, -- the output's name, mostly "out"
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);
create index if not exists IndexDerivationOutputs on DerivationOutputs(path);
)";

// As Nix opens it; without foreign keys, a matter of the connection, deletions would break the references.
sqlite::Options options(std::chrono::milliseconds lock_timeout, bool read_only) {
  return {
      .name = "store database",
      .read_only = read_only,
      .lock_timeout = lock_timeout,
      .pragmas = "pragma foreign_keys = 1; pragma synchronous = normal; pragma wal_autocheckpoint = 40000",
      .locked_advice = "store_lock_timeout says how long to wait (flox config --explain).",
      .full_advice = "'flox store gc' frees what nothing uses.",
      .unwritable_advice = "Are you the user who owns the store?"};
}

}  // namespace

StoreConnection::StoreConnection(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout,
                                 bool read_only)
    : Connection(file, options(lock_timeout, read_only)) {
  if (sqlite::Query(*this, "select 1 from sqlite_master where name = 'ValidPaths'").next()) return;
  sqlite::Transaction transaction(*this);
  execute(schema);
  transaction.commit();
}

}  // namespace flox::store
