// The connection to Nix's store database: opened as Nix opens it, with Nix's
// tables (schema 10; docs/formats/store-database.md).
#pragma once

#include <chrono>
#include <filesystem>

#include "base/data/sqlite.h"

namespace flox::store {

// Makes the file and its tables if they are missing; the caller holds the big
// lock then. Errors advise what to do about a lock, a full disk and a file that
// cannot be written.
struct StoreConnection : sqlite::Connection {
  // `read_only` as sqlite::Options has it.
  StoreConnection(const std::filesystem::path &file, std::chrono::milliseconds lock_timeout,
                  bool read_only = false);
};

// Commits reach the disk before they return, while the object lives.
class SyncedCommits {
 public:
  explicit SyncedCommits(sqlite::Connection &connection) : connection_(connection) {
    connection.execute("pragma synchronous = full");
  }
  SyncedCommits(const SyncedCommits &) = delete;
  SyncedCommits &operator=(const SyncedCommits &) = delete;
  ~SyncedCommits() { connection_.attempt("pragma synchronous = normal"); }

 private:
  sqlite::Connection &connection_;
};

}  // namespace flox::store
