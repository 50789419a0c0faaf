// The database on a PostgreSQL server (13 or newer), which any number of catalogs share.
#pragma once

#include <string>

#include "base/data/secret.h"
#include "server/database/database.h"

namespace flox::server {

// `url` is postgresql://[USER@]HOST[:PORT]/DATABASE[?PARAMETER=…], as libpq reads it, without a password
// (PostgreSQL manual, section 34.1.1.2). `password` may be empty: libpq's own ways (PGPASSFILE, peer, client
// certificates) remain. Unless the URL or PGSSLMODE says otherwise, a server that is not on this machine must
// show a certificate of its name that the system trusts. Does not connect yet. Throws Error(invalid_input),
// which quotes nothing of a URL with a password.
std::unique_ptr<Database> open_postgres(const std::string& url, const Secret& password);

// What libpq is given: "host='…' …". For tests.
Secret postgres_options(const std::string& url, const Secret& password);

// A type of the common dialect's "create table" as PostgreSQL is to have it: texts compare by bytes;
// without "without rowid". For tests.
std::string postgres_schema(std::string_view sql);

}  // namespace flox::server
