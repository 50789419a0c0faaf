// Writing a catalog into a directory (export_format.h), from the storage of any backend.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "server/database/database.h"
#include "server/files/object_store.h"

namespace flox::server {

struct ExportResult {
  std::string sha256;  // of export.json, hexadecimal: names the whole
  uint64_t rows = 0;
  uint64_t files = 0, bytes = 0;  // of the cache
  uint64_t files_copied = 0;      // that the directory did not have yet
};

// The records of one moment, and the cache's files: all that those records need. Catalogs may serve, publish
// and collect garbage meanwhile: if a path was removed, it begins again. The same catalog gives the same
// bytes.
//
// The directory is made, or is empty, or has an earlier export or a part of one, which is brought up to date:
// files that are there and whole are not copied again. export.json is replaced last, so an export that was
// interrupted leaves the one before; then what that one had and this one has not is removed. Only this user
// may read it (private packages). Throws Error: conflict for a directory with anything else, or while another
// export writes it; untrusted for a file of the cache that is damaged; not_found if something that a build
// needs is missing; unavailable if garbage is collected all the time.
ExportResult export_catalog(Database& database, const ObjectStore& files,
                            const std::filesystem::path& directory);

}  // namespace flox::server
