// Making a catalog what an exported one was (export.h), on any backend.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "server/database/database.h"
#include "server/files/cache_files.h"
#include "server/records/registered_keys.h"

namespace flox::server {

// The references must outlive the call.
struct ImportInto {
  Database& database;
  CacheFiles& cache;
  const RegisteredKeys& keys;  // that must have signed every path and attestation; none: development mode
};

struct ImportResult {
  uint64_t rows = 0, rows_added = 0;
  uint64_t files = 0;
  uint64_t paths_copied = 0;
  std::vector<std::string> timestamp_keys;  // "acme: catalog-1": whose key signs an owner's timestamps so far
};

// The whole export is read and verified before anything is written: every file against its hash, every NAR
// unpacked, every row, the chains of signed metadata, and that of each build the closure is there. Then who
// may read private files is recorded, then come the files, and last all other records in one transaction.
// Interrupted, it is done again from the beginning, and finds what it has copied. The same import once more
// changes nothing.
//
// `sha256`: of export.json, as the export told it; empty: any. The directory may be anybody's: no link in it
// is followed, and no name in it is a path. Throws Error: untrusted for what is damaged or not signed;
// conflict for a catalog that has something else than the export, which stays as it is.
ImportResult import_catalog(const std::filesystem::path& directory, const std::string& sha256,
                            const ImportInto& into);

}  // namespace flox::server
