// The SQLite file that a local backend keeps its queues and tables in. Any number of processes of one machine
// may have it open.
#pragma once

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/data/sqlite.h"

namespace ticket::local {

// Thread-safe: one use at a time.
class Database {
 public:
  // Opens the file, making it and its tables if missing.
  explicit Database(const std::filesystem::path& file);

  // One use: a transaction if `write`, which is undone if it is not committed.
  class Use {
   public:
    Use(Database& database, bool write);
    flox::sqlite::Query statement(std::string_view sql) { return {database_.connection_, sql}; }
    // Of a write.
    void commit() { transaction_->commit(); }

   private:
    Database& database_;
    std::unique_lock<std::mutex> lock_;
    std::optional<flox::sqlite::Transaction> transaction_;
  };
  Use read() { return {*this, false}; }
  Use write() { return {*this, true}; }

 private:
  flox::sqlite::Connection connection_;
  std::mutex mutex_;
};

// Milliseconds since 1970, as the file has times.
int64_t now_in_milliseconds();

}  // namespace ticket::local
