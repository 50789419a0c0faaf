// Signed metadata of the catalog's owners: roots, targets, and the timestamps that the catalog itself signs,
// (docs/explanation/provenance.md). Name files stand beside what they speak of (name_files.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "server/database/database.h"

namespace flox::server {

struct StoredTimestamp {
  int64_t version = 0;
  std::string document;
};

// Whether the owner's timestamp is of a later version than this one.
bool has_newer_timestamp(Session& session, std::string_view owner, int64_t version);

// Thread-safe. Keeps texts; what they say is the caller's to check.
class TrustRecords {
 public:
  // The database (records/database.h) must outlive it.
  explicit TrustRecords(Database& database) : database_(database) {}

  struct Versions {
    int64_t root = 0, targets = 0, timestamp = 0;  // the newest; 0: none
    int64_t names = 0;  // of an owner that is mirrored: the timestamp's that its tree of names has
    bool operator==(const Versions&) const = default;
  };
  Versions versions(std::string_view owner) const;
  // root.json of that version, or the newest.
  std::optional<std::string> root(std::string_view owner, std::optional<int64_t> version = {}) const;
  std::optional<std::string> targets(std::string_view owner) const;
  std::optional<StoredTimestamp> timestamp(std::string_view owner) const;
  // Of an owner that is mirrored: its tree of names (trust/name_tree.h), which has its timestamp.
  std::optional<std::string> names(std::string_view owner) const;
  // The newest root.json and targets.json of all owners.
  struct OwnersFile {
    std::string owner;
    bool is_root = false;  // else targets.json
    std::string document;
  };
  void each_newest(const std::function<void(const OwnersFile&)>& take) const;
  // Each throws Error(conflict) unless its version is higher than that of the newest, which is 0 if there is
  // none, and for a root unless it is one more. All roots stay; of the others the newest.
  void put_root(std::string_view owner, int64_t version, std::string_view document);
  // `instead_of`: a version that counts no more, which may be the higher one.
  void put_targets(std::string_view owner, int64_t version, std::string_view document,
                   std::optional<int64_t> instead_of = {});
  // Notes the key that signs timestamps from now on; gives the one that did so far, empty if none has.
  std::string exchange_online_key(std::string_view public_key);
  void put_timestamp(std::string_view owner, const StoredTimestamp& timestamp);

 private:
  std::optional<StoredTimestamp> newest(std::string_view owner, std::string_view role) const;
  std::optional<std::string> text_of_newest(std::string_view owner, std::string_view role) const;
  void put(std::string_view owner, std::string_view role, int64_t version, std::string_view document,
           std::optional<int64_t> instead_of = {});

  Database& database_;
};

}  // namespace flox::server
