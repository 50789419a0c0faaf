// Signed name files (docs/explanation/provenance.md), in the database of what they speak of, so that a record
// and the name file that lists it become visible in one transaction. Their changes are counted: who keeps
// something that is computed from name files sees by that whether it is of today.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/database/database.h"

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

// Adds it, in the transaction of what it speaks of. Throws Error(conflict) unless its version is one more
// than the latest one's (the first is 1), or, where older ones are kept, higher; or if the owner is mirrored.
void add_name_file(Session& session, const StoredNameFile& file, OlderNameFiles older);
// The same for what another catalog has checked: of any version.
void write_name_file(Session& session, const StoredNameFile& file, OlderNameFiles older);
// The latest, or that of the version.
std::optional<StoredNameFile> find_name_file(Session& session, std::string_view owner, std::string_view name,
                                             std::optional<int64_t> version = {});

// Thread-safe.
class NameFiles {
 public:
  // The database (records/database.h) must outlive it.
  explicit NameFiles(Database& database) : database_(database) {}

  // As find_name_file.
  std::optional<StoredNameFile> find(std::string_view owner, std::string_view name,
                                     std::optional<int64_t> version = {}) const;
  // The name files that the owner has of these packages, by name.
  std::map<std::string, StoredNameFile> of_packages(std::string_view owner,
                                                    const std::vector<std::string>& names) const;
  // The latest of each name of the owner, by name.
  std::vector<NameState> latest(std::string_view owner) const;
  // Number of changes so far: of the owner's name files; of all.
  int64_t changes(std::string_view owner) const;
  int64_t changes() const { return changes(""); }

 private:
  Database& database_;
};

}  // namespace flox::server
