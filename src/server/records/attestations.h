// The catalog's attestations: of each store path, at most one of each key, as they were uploaded.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "server/database/database.h"

namespace flox::server {

struct AttestationRecord {
  std::string key;       // name of the key that signed it
  std::string envelope;  // trust/attestation/envelope.h
};

// Thread-safe.
class AttestationRecords {
 public:
  static constexpr size_t most_of_a_path = 16;

  // The database (records/database.h) must outlive it.
  explicit AttestationRecords(Database& database) : database_(database) {}

  // Adds one for the path with this digest; true if it is new, false if the very same is there. Throws
  // Error(conflict) if that key has another one, or if there are most_of_a_path.
  bool add(std::string_view digest, const AttestationRecord& record);
  // By key.
  std::vector<AttestationRecord> find(std::string_view digest) const;
  // Those of the digests that have any.
  std::set<std::string> among(const std::set<std::string>& digests) const;

 private:
  Database& database_;
};

}  // namespace flox::server
