// The SQLite file that a local backend keeps its queues and tables in. Any number of processes of one machine
// may have it open.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace ticket::local {

// One statement, used once: values bind in order, then rows are read. Throws flox::Error: unavailable while
// others keep the file locked or the disk is full, otherwise internal.
class Statement {
 public:
  Statement(sqlite3* handle, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();
  Statement& bind(std::string_view text);
  Statement& bind(int64_t number);
  // Whether there is a (further) row.
  bool next();
  // To the end. How many rows the statement changed.
  int run();
  std::string text(int column) const;
  int64_t number(int column) const;

 private:
  sqlite3* handle_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

// Thread-safe: one use at a time.
class Database {
 public:
  // Opens the file, making it and its tables if missing.
  explicit Database(const std::filesystem::path& file);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // One use: a transaction if `write`, which is undone if it is not committed.
  class Use {
   public:
    Use(Database& database, bool write);
    ~Use();
    Statement statement(std::string_view sql) { return {database_.handle_, sql}; }
    void commit();

   private:
    Database& database_;
    std::unique_lock<std::mutex> lock_;
    bool open_;
  };
  Use read() { return {*this, false}; }
  Use write() { return {*this, true}; }

 private:
  void execute(const char* sql);
  sqlite3* handle_ = nullptr;
  std::mutex mutex_;
};

// Milliseconds since 1970, as the file has times.
int64_t now_in_milliseconds();

}  // namespace ticket::local
