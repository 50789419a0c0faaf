#include "server/storage.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/command_line/program.h"
#include "base/data/secret.h"
#include "base/error.h"
#include "base/os/file.h"
#include "server/files/directory_store.h"
#include "server/files/s3_store.h"
#include "server/records/database.h"

namespace flox::server {
namespace {

constexpr const char* transfer_spool = "transfers";

Secret database_password(const ServerSettings& settings) {
  return settings.database_password_file.empty() ? settings.database_password
                                                 : in_context("--database-password-file", [&] {
                                                     return read_secret_file(settings.database_password_file);
                                                   });
}

// Of the mode that is wanted if it is made here; one that is there may be shared on purpose.
void make_private_directory(const std::filesystem::path& directory) {
  if (const auto parent = directory.parent_path(); !parent.empty()) fs::create_directories(parent);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    fail_errno(errno, "making the data directory {}", directory.string());
}

}  // namespace

std::unique_ptr<Database> open_storage_database(const ServerSettings& settings) {
  make_private_directory(settings.data);
  if (settings.database.empty()) return open_database(settings.data);
  return open_database(settings.database, database_password(settings));
}

std::unique_ptr<Database> open_present_database(const ServerSettings& settings) {
  return settings.database.empty() ? open_present(settings.data)
                                   : open_present(settings.database, database_password(settings));
}

std::unique_ptr<ObjectStore> open_storage_files(const ServerSettings& settings, Use use) {
  const Presign presign = presign_of(settings.presign);
  const char* spool = use == Use::serve ? DirectoryStore::serving_spool : transfer_spool;
  if (settings.files.empty()) return std::make_unique<DirectoryStore>(settings.data / "cache", spool);
  if (settings.database.empty())
    fail_usage("flox-catalog: --files needs --database, which catalogs that share a bucket share, too",
               "Pass --database postgresql://USER@HOST/DATABASE.");
  return std::make_unique<S3Store>(settings.files, settings.data / spool, presign);
}

CacheLimits cache_limits(const ServerSettings& settings) {
  return {.max_upload = settings.max_upload.bytes,
          .max_store_bytes = settings.max_store_bytes.bytes,
          .orphan_age = settings.orphan_age};
}

TransferStorage::TransferStorage(const ServerSettings& settings, const RegisteredKeys& keys)
    : database(open_storage_database(settings)),
      files(open_storage_files(settings, Use::transfer)),
      nars(*database),
      cache(*files, nars, keys, cache_limits(settings)) {}

RegisteredKeys required_keys(const ServerSettings& settings, const char* command) {
  RegisteredKeys keys(settings.trusted_keys);
  if (keys.empty())
    fail_usage(fmt::format("flox-catalog {}: no --trusted-key is given", command),
               "Name the public keys that must have signed what is taken from there.");
  return keys;
}

}  // namespace flox::server
