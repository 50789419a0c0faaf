// Whether the rows of an export are such as a catalog writes: an import takes nothing else.
#pragma once  // Fuzzed by fuzz/catalog_export.cc.

#include <functional>
#include <map>
#include <string>

#include "nix/store_path.h"
#include "server/records/registered_keys.h"
#include "server/records/tables.h"
#include "trust/metadata.h"

namespace flox::server {

// Takes the rows of one table after the other, each table's in the order of its primary key, in which they
// were exported. One thread at a time.
class RowChecks {
 public:
  // `keys` must outlive it; without keys attestations are not verified. `has_path`: whether the export's
  // cache has the path, and so its closure.
  RowChecks(const RegisteredKeys& keys, std::function<bool(const nix::StorePath&)> has_path)
      : keys_(keys), has_path_(std::move(has_path)) {}

  // Throws Error: invalid_input for what cannot be in that table or is not in order; untrusted for signed
  // metadata whose chain of signatures is broken, or an attestation without a registered key's signature.
  void check(const Table& table, const TableRow& row);

 private:
  void check_order(const Table& table, const TableRow& row);
  void check_build(const TableRow& row) const;
  void check_metadata(const TableRow& row);
  void check_attestation(const TableRow& row) const;

  const RegisteredKeys& keys_;
  std::function<bool(const nix::StorePath&)> has_path_;
  const Table* table_ = nullptr;
  TableRow last_;
  std::string owner_;                                     // of the roots
  std::map<uint64_t, trust::Signed<trust::Root>> roots_;  // by version
};

// Whether a row says the same as the one with the same key that is there: who signed a build each catalog
// finds out for itself.
bool says_the_same(const Table& table, const TableRow& a, const TableRow& b);

}  // namespace flox::server
