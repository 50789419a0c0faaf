// Opens what the settings of flox-catalog name: its database and its files.
#pragma once

#include <memory>

#include "server/database/database.h"
#include "server/files/cache_files.h"
#include "server/files/object_store.h"
#include "server/settings.h"

namespace flox::server {

// What for: each has a place of its own for files on their way in, so that a command may run beside a catalog
// that serves.
enum class Use { serve, transfer };

// Makes --data and the tables if they are missing. Throws Error.
std::unique_ptr<Database> open_storage_database(const ServerSettings& settings);
// The same for who only reads: a database that is missing, or of another release, is Error(not_found,
// conflict).
std::unique_ptr<Database> open_present_database(const ServerSettings& settings);
std::unique_ptr<ObjectStore> open_storage_files(const ServerSettings& settings, Use use);
CacheLimits cache_limits(const ServerSettings& settings);
// What a command brings files into.
struct TransferStorage {
  // `keys` must outlive it.
  TransferStorage(const ServerSettings& settings, const RegisteredKeys& keys);
  std::unique_ptr<Database> database;
  std::unique_ptr<ObjectStore> files;
  NarRecords nars;
  CacheFiles cache;
};
// The keys that --trusted-key names. Throws ExitError if there are none: `command` takes paths from
// elsewhere.
RegisteredKeys required_keys(const ServerSettings& settings, const char* command);

}  // namespace flox::server
