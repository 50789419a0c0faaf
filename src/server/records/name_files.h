// Signed name files (docs/explanation/provenance.md), in the database of what they speak of, so that a record
// and the name file that lists it become visible in one transaction. Each database that has the table counts
// its changes: who keeps something that is computed from name files sees by that whether it is of today.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/sqlite.h"

namespace flox::server {

// A name file as its publisher signed it, byte for byte.
struct StoredNameFile {
  std::string owner;
  std::string name;     // packages/PACKAGE or environments/ENVIRONMENT
  int64_t version = 0;  // 1, 2, …
  std::string document;
};

// What is known of the latest name file of a name.
struct NameState {
  std::string name;
  int64_t version = 0;
  std::string sha256;  // of the document, in base 16
};

// Of a package the latest name file lists all builds, so older ones go, and versions have no gap. Of an
// environment each is of a generation; generations from before there was an owner have none.
enum class OlderNameFiles { keep, drop };

// The table, in that database, which must outlive it. One thread at a time, as the connection.
class NameFiles {
 public:
  // Makes the tables if they are missing.
  explicit NameFiles(sqlite::Connection& database);

  // Adds it; the caller has a transaction. Throws Error(conflict) unless its version is one more than the
  // latest one's (the first is 1), or, where older ones are kept, higher.
  void add(const StoredNameFile& file, OlderNameFiles older);
  // The latest, or that of the version.
  std::optional<StoredNameFile> find(std::string_view owner, std::string_view name,
                                     std::optional<int64_t> version = {}) const;
  // The latest of each name of the owner, by name.
  std::vector<NameState> latest(std::string_view owner) const;
  std::vector<std::string> owners() const;
  // Number of changes so far: of the owner's name files; of all.
  int64_t changes(std::string_view owner) const;
  int64_t changes() const { return changes(""); }

 private:
  sqlite::Connection& database_;
};

}  // namespace flox::server
