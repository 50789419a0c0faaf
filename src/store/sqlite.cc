#include "store/sqlite.h"

#include "base/error.h"

namespace flox::store {
namespace {

std::string advice_for(sqlite3* handle, int code) {
  const char* file = handle != nullptr ? sqlite3_db_filename(handle, "main") : nullptr;
  const std::string name = file != nullptr ? file : "the database";
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format(
          "Another process has held the lock on {} all the while: 'fuser -v {}' names it. "
          "store_lock_timeout says how long to wait (flox config --explain).",
          name, name);
    case SQLITE_FULL:
      return fmt::format("Make room on the file system of {}: 'flox store gc' frees what nothing uses.",
                         name);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return "The store's state directory must be writable; are you the user who owns the store?";
    default:
      return {};
  }
}

}  // namespace

void fail_sqlite(sqlite3* handle, std::string_view doing) {
  const int code = handle != nullptr ? sqlite3_errcode(handle) : SQLITE_NOMEM;
  const char* message = handle != nullptr ? sqlite3_errmsg(handle) : "out of memory";
  const bool passing =
      code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL || code == SQLITE_READONLY;
  throw Error(passing ? ErrorKind::unavailable : ErrorKind::internal,
              fmt::format("store database: {}: {}", doing, message), advice_for(handle, code));
}

void execute(sqlite3* handle, const char* sql) {
  if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail_sqlite(handle, std::string_view(sql).substr(0, 60));
}

Connection::Connection(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout) {
  try {
    if (sqlite3_open_v2(file.c_str(), &handle_,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) != SQLITE_OK)
      fail_sqlite(handle_, "opening " + file.string());
    sqlite3_busy_timeout(handle_, static_cast<int>(lock_timeout.count()));
    execute(handle_,
            "pragma foreign_keys = 1");  // per connection; without it deletions break the references
    execute(handle_, "pragma journal_mode = wal");
    execute(handle_, "pragma synchronous = normal");
    execute(handle_, "pragma wal_autocheckpoint = 40000");
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Statement::Statement(sqlite3* handle, const char* sql) : handle_(handle) {
  if (sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK)
    fail_sqlite(handle, sql);
}

Statement::Use& Statement::Use::text(std::string_view value) {
  check(sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT));
  return *this;
}

Statement::Use& Statement::Use::number(int64_t value) {
  check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

Statement::Use& Statement::Use::null() {
  check(sqlite3_bind_null(statement_, ++bound_));
  return *this;
}

bool Statement::Use::next() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail_sqlite(handle_, sqlite3_sql(statement_));
  return code == SQLITE_ROW;
}

std::string_view Statement::Use::view_at(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr
             ? std::string_view()
             : std::string_view(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

void Statement::Use::check(int code) {
  if (code != SQLITE_OK) fail_sqlite(handle_, "binding a value");
}

}  // namespace flox::store
