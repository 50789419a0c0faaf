// SQLite, as the catalog's records use it.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace flox::server {

// One prepared statement, finalised with the object.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) : db_(db) {
    if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) complain();
  }
  Statement(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }
  Statement& bind(std::string_view text) {
    if (text.data() == nullptr) text = "";  // SQLite would take it for NULL
    sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int64_t number) {
    sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
  }
  bool step() {
    int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) complain();
    return false;
  }
  std::string text(int column) const {
    const auto* value = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return value == nullptr ? "" : value;
  }
  int64_t number(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  [[noreturn]] void complain() const {
    int code = sqlite3_errcode(db_);
    fail(code == SQLITE_FULL || code == SQLITE_BUSY || code == SQLITE_READONLY ? ErrorKind::unavailable
                                                                               : ErrorKind::internal,
         "the catalog's database: {}", sqlite3_errmsg(db_));
  }
  sqlite3* db_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

}  // namespace flox::server
