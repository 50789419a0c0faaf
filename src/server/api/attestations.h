// Attestations of store paths: /api/v1/attestations (docs/reference/catalog-api.md).
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/net/server/http_server.h"
#include "server/files/cache_access.h"
#include "server/files/cache_files.h"
#include "server/records/attestations.h"
#include "server/records/registered_keys.h"

namespace flox::server {

// Thread-safe. Of paths whose narinfo may not be read all is as if it were not there.
class Attestations {
 public:
  // The references must outlive it.
  Attestations(AttestationRecords& records, CacheFiles& cache, const RegisteredKeys& keys)
      : records_(records), cache_(cache), keys_(keys) {}

  // Where the body of a PUT goes: into memory, up to trust::max_envelope. Throws Error(invalid_input) for
  // what is no digest of a store path.
  static std::shared_ptr<UploadSink> begin(std::string_view digest);
  // Keeps what came to `upload`, a sink of begin(): an envelope with one signature around the provenance of
  // the path with this digest, which the cache has with the same NAR hash. Who has attested it must have
  // signed the path, too, with a registered key (any, if there are none). Throws Error (invalid_input,
  // untrusted, not_found, conflict).
  ServerResponse put(std::string_view digest, UploadSink& upload, const CacheAccess& access);
  // All attestations of the path; with `key` the one of that key, as it was uploaded. Throws
  // Error(not_found).
  ServerResponse get(std::string_view digest, std::string_view key, const CacheAccess& access) const;
  // {"digests": […]} → those of them that have attestations. Throws Error(invalid_input).
  nlohmann::json among(const nlohmann::json& request, const CacheAccess& access) const;

 private:
  AttestationRecord checked(std::string_view digest, std::string text, const CacheAccess& access) const;

  AttestationRecords& records_;
  CacheFiles& cache_;
  const RegisteredKeys& keys_;
};

}  // namespace flox::server
