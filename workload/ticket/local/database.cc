#include "ticket/local/database.h"

#include <chrono>

#include "base/error.h"

namespace ticket::local {

using flox::ErrorKind;

namespace {

constexpr int busy_timeout_ms = 30'000;

// docs/ticket-workload.md describes them.
constexpr const char* schema = R"(
create table if not exists queue (
    name              text primary key not null,
    visibility        integer not null, -- seconds
    dead_letter_queue text,             -- where messages go that were received max_receives times
    max_receives      integer
);
create table if not exists message (
    number        integer primary key autoincrement not null,
    queue         text not null references queue(name),
    id            text unique not null,
    body          text not null,
    sent_at       integer not null, -- milliseconds since 1970
    visible_at    integer not null, -- milliseconds since 1970
    receive_count integer not null default 0,
    receipt       text              -- of the latest delivery
);
create index if not exists message_by_visibility on message(queue, visible_at);
create table if not exists item_table (
    name text primary key not null
);
create table if not exists item (
    item_table text not null references item_table(name),
    ticket_id  text not null,
    created_at integer not null,
    item       text not null, -- JSON
    primary key (item_table, ticket_id, created_at)
) without rowid;
)";

[[noreturn]] void fail_sqlite(sqlite3* handle, std::string_view doing) {
  const int code = handle != nullptr ? sqlite3_errcode(handle) : SQLITE_NOMEM;
  bool passing = code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL || code == SQLITE_IOERR;
  flox::fail(passing ? ErrorKind::unavailable : ErrorKind::internal, "the local backend's database: {}: {}",
             doing, handle != nullptr ? sqlite3_errmsg(handle) : "out of memory");
}

}  // namespace

Statement::Statement(sqlite3* handle, std::string_view sql) : handle_(handle) {
  if (sqlite3_prepare_v2(handle, sql.data(), static_cast<int>(sql.size()), &statement_, nullptr) != SQLITE_OK)
    fail_sqlite(handle, sql);
}
Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::bind(std::string_view text) {
  if (sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT) !=
      SQLITE_OK)
    fail_sqlite(handle_, "binding a value");
  return *this;
}

Statement& Statement::bind(int64_t number) {
  if (sqlite3_bind_int64(statement_, ++bound_, number) != SQLITE_OK) fail_sqlite(handle_, "binding a value");
  return *this;
}

bool Statement::next() {
  const int code = sqlite3_step(statement_);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail_sqlite(handle_, sqlite3_sql(statement_));
  return code == SQLITE_ROW;
}

int Statement::run() {
  while (next()) {
  }
  return sqlite3_changes(handle_);
}

std::string Statement::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (text == nullptr) return "";
  return {text, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

int64_t Statement::number(int column) const { return sqlite3_column_int64(statement_, column); }

Database::Database(const std::filesystem::path& file) {
  if (sqlite3_open_v2(file.c_str(), &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr) !=
      SQLITE_OK) {
    std::string message = handle_ != nullptr ? sqlite3_errmsg(handle_) : "out of memory";
    sqlite3_close(handle_);
    flox::fail(ErrorKind::unavailable, "opening {}: {}", file.string(), message);
  }
  try {
    sqlite3_busy_timeout(handle_, busy_timeout_ms);
    // A write-ahead log lets processes read while one writes. After a power cut its end may be lost, but
    // never something before something else: no deletion of a message outlives the item that went before it.
    execute("pragma journal_mode = wal");
    execute("pragma synchronous = normal");
    execute(schema);
  } catch (...) {
    sqlite3_close(handle_);
    throw;
  }
}

Database::~Database() { sqlite3_close(handle_); }

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail_sqlite(handle_, "preparing it");
}

Database::Use::Use(Database& database, bool write)
    : database_(database), lock_(database.mutex_), open_(write) {
  // At once, so that two writers wait for each other at the beginning and none fails in the middle.
  if (write) database_.execute("begin immediate");
}

Database::Use::~Use() {
  if (open_) sqlite3_exec(database_.handle_, "rollback", nullptr, nullptr, nullptr);
}

void Database::Use::commit() {
  database_.execute("commit");
  open_ = false;
}

int64_t now_in_milliseconds() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

}  // namespace ticket::local
