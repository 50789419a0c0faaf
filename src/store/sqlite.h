// SQLite as the store's databases use it: a connection, prepared statements, transactions. Errors are
// flox::Error: unavailable for what may pass (another process holds the lock, the disk is full or read-only).
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace flox::store {

// Throws the Error for the handle's last failure, met while `doing`.
[[noreturn]] void fail_sqlite(sqlite3* handle, std::string_view doing);

// One statement or several, without results.
void execute(sqlite3* handle, const char* sql);

// One thread at a time.
class Connection {
 public:
  // Opens `file` as Nix does (WAL, foreign keys, no fsync at commits), making it if missing. Whoever finds it
  // locked waits for `lock_timeout`, then gets Error(unavailable).
  Connection(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { sqlite3_close(handle_); }
  sqlite3* handle() const noexcept { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

// A prepared statement, reset by `Use` after each use.
class Statement {
 public:
  Statement(sqlite3* handle, const char* sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  class Use {
   public:
    explicit Use(Statement& statement) : statement_(statement.statement_), handle_(statement.handle_) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() {
      sqlite3_reset(statement_);
      sqlite3_clear_bindings(statement_);
    }
    // Values bind in order; empty text and zero numbers of the `optional` kind are NULL.
    Use& text(std::string_view value);
    Use& optional_text(std::string_view value) { return value.empty() ? null() : text(value); }
    Use& number(int64_t value);
    Use& optional_number(int64_t value) { return value == 0 ? null() : number(value); }
    Use& null();
    // Whether there is a (further) row.
    bool next();
    void run() {
      while (next()) {
      }
    }
    // Valid until the next row is asked for.
    std::string_view view_at(int column) const;
    std::string text_at(int column) const { return std::string(view_at(column)); }
    bool null_at(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
    int64_t number_at(int column) const { return sqlite3_column_int64(statement_, column); }

   private:
    void check(int code);
    sqlite3_stmt* statement_;
    sqlite3* handle_;
    int bound_ = 0;
  };
  Use use() { return Use(*this); }

 private:
  sqlite3* handle_;
  sqlite3_stmt* statement_ = nullptr;
};

// Rolled back unless committed. Takes the write lock at once: a read that turns into a write could not wait
// for another writer.
class Transaction {
 public:
  explicit Transaction(sqlite3* handle) : handle_(handle) { execute(handle, "begin immediate"); }
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction() {
    if (!committed_) sqlite3_exec(handle_, "rollback", nullptr, nullptr, nullptr);
  }
  void commit() {
    execute(handle_, "commit");
    committed_ = true;
  }

 private:
  sqlite3* handle_;
  bool committed_ = false;
};

}  // namespace flox::store
