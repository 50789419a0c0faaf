#include "base/data/sqlite.h"

#include <sqlite3.h>

#include "base/error.h"

namespace flox::sqlite {

namespace {

namespace fs = std::filesystem;

// https://sqlite.org/uri.html: "immutable" is read without locks and without the file of shared memory, which
// cannot be made there. Where that file is, somebody has the database open to write, or has been killed.
std::string read_only_uri(const fs::path& file) {
  std::string uri = "file:";
  for (const char c : file.native()) {
    if (c == '%' || c == '?' || c == '#')
      uri += fmt::format("%{:02X}", c);
    else
      uri += c;
  }
  std::error_code none;
  const bool is_closed =
      !fs::exists(file.native() + "-shm") &&
      (fs::file_size(file.native() + "-wal", none) == 0 || none == std::errc::no_such_file_or_directory);
  return uri + (is_closed ? "?immutable=1" : "");
}

}  // namespace

Connection::Connection(const std::filesystem::path& file, Options options) : options_(std::move(options)) {
  sqlite3* handle = nullptr;
  const int code =
      options_.read_only
          ? sqlite3_open_v2(read_only_uri(file).c_str(), &handle,
                            SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr)
          : sqlite3_open_v2(file.c_str(), &handle,
                            SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail("opening " + file.string());
  sqlite3_busy_timeout(handle, static_cast<int>(options_.lock_timeout.count()));
  if (!options_.read_only) execute("pragma journal_mode = wal");
  execute(options_.pragmas.c_str());
}

Connection::~Connection() = default;

void Connection::Close::operator()(sqlite3* handle) const noexcept { sqlite3_close(handle); }

void Connection::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail(std::string_view(sql).substr(0, 60));
}

void Connection::attempt(const char* sql) noexcept {
  sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
}

int64_t Connection::total_changes() const noexcept { return sqlite3_total_changes64(handle_.get()); }

void Connection::fail(std::string_view doing) const {
  sqlite3* handle = handle_.get();
  const int code = handle != nullptr ? sqlite3_errcode(handle) : SQLITE_NOMEM;
  const bool passing = code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL ||
                       code == SQLITE_IOERR || code == SQLITE_READONLY || code == SQLITE_CANTOPEN;
  throw Error(passing ? ErrorKind::unavailable : ErrorKind::internal,
              fmt::format("{}: {}: {}", options_.name, doing,
                          handle != nullptr ? sqlite3_errmsg(handle) : "out of memory"),
              advice_for(code));
}

std::string Connection::advice_for(int code) const {
  const char* known = handle_ != nullptr ? sqlite3_db_filename(handle_.get(), "main") : nullptr;
  const std::string file = known != nullptr ? known : "the database";
  auto with = [](std::string general, const std::string& own) {
    return own.empty() ? general : std::move(general) + " " + own;
  };
  switch (code) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return with(
          fmt::format("Another process has held the lock on {} all the while: 'fuser -v {}' names it.", file,
                      file),
          options_.locked_advice);
    case SQLITE_FULL:
      return with(fmt::format("Make room on the file system of {}.", file), options_.full_advice);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return with(fmt::format("{} and its directory must be writable.", file), options_.unwritable_advice);
    default:
      return {};
  }
}

Statement::Statement(const Connection& connection, std::string_view sql) : connection_(connection) {
  if (sqlite3_prepare_v3(connection.handle_.get(), sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK)
    connection.fail(sql);
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Use::~Use() {
  sqlite3_reset(statement_.statement_);
  sqlite3_clear_bindings(statement_.statement_);
}

Statement::Use& Statement::Use::bind(std::string_view text) {
  if (text.data() == nullptr) text = "";  // SQLite would take it for NULL
  check(sqlite3_bind_text(statement_.statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                          SQLITE_TRANSIENT));
  return *this;
}

Statement::Use& Statement::Use::bind(int64_t number) {
  check(sqlite3_bind_int64(statement_.statement_, ++bound_, number));
  return *this;
}

Statement::Use& Statement::Use::bind_null() {
  check(sqlite3_bind_null(statement_.statement_, ++bound_));
  return *this;
}

bool Statement::Use::next() {
  const int code = sqlite3_step(statement_.statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE)
    statement_.connection_.fail(sqlite3_sql(statement_.statement_));
  return code == SQLITE_ROW;
}

int Statement::Use::run() {
  while (next()) {
  }
  return sqlite3_changes(statement_.connection_.handle_.get());
}

std::string_view Statement::Use::view(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_.statement_, column));
  if (text == nullptr) return {};
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_.statement_, column))};
}

int64_t Statement::Use::number(int column) const {
  return sqlite3_column_int64(statement_.statement_, column);
}

bool Statement::Use::is_null(int column) const {
  return sqlite3_column_type(statement_.statement_, column) == SQLITE_NULL;
}

void Statement::Use::check(int code) const {
  if (code != SQLITE_OK) statement_.connection_.fail("binding a value");
}

Transaction::Transaction(Connection& connection, Kind kind) : connection_(connection) {
  connection.execute(kind == Kind::write ? "begin immediate" : "begin");
}

Transaction::~Transaction() {
  if (open_) connection_.attempt("rollback");
}

void Transaction::commit() {
  connection_.execute("commit");
  open_ = false;
}

}  // namespace flox::sqlite
