#include "store/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <ctime>
#include <mutex>

#include "base/bytes.h"
#include "base/error.h"
#include "store/reference_order.h"

namespace flox::store {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;

namespace {

constexpr int busy_timeout_ms = 60'000;

// As Nix itself creates them; the comments in the text are for whoever looks with sqlite3.
constexpr const char* schema = R"(
create table if not exists ValidPaths (
    id               integer primary key autoincrement not null,
    path             text unique not null,
    hash             text not null, -- "sha256:" and hexadecimal digits
    registrationTime integer not null,
    deriver          text,
    narSize          integer,
    ultimate         integer, -- null: false
    sigs             text, -- space-separated
    ca               text -- the content address, if the path has one
);
create table if not exists Refs (
    referrer  integer not null,
    reference integer not null,
    primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
create index if not exists IndexReferrer on Refs(referrer);
create index if not exists IndexReference on Refs(reference);
create trigger if not exists DeleteSelfRefs before delete on ValidPaths
  begin
    delete from Refs where referrer = old.id and reference = old.id;
  end;
create table if not exists DerivationOutputs (
    drv  integer not null,
    id   text not null, -- the output's name, mostly "out"
    path text not null,
    primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);
create index if not exists IndexDerivationOutputs on DerivationOutputs(path);
)";

[[noreturn]] void fail_sqlite(sqlite3* handle, std::string_view doing) {
  const int code = handle != nullptr ? sqlite3_errcode(handle) : SQLITE_NOMEM;
  const char* message = handle != nullptr ? sqlite3_errmsg(handle) : "out of memory";
  const bool passing =
      code == SQLITE_BUSY || code == SQLITE_LOCKED || code == SQLITE_FULL || code == SQLITE_READONLY;
  throw Error(passing ? ErrorKind::unavailable : ErrorKind::internal,
              fmt::format("store database: {}: {}", doing, message),
              code == SQLITE_READONLY || code == SQLITE_CANTOPEN
                  ? "The store's state directory must be writable; are you the user who owns the store?"
                  : "");
}

// A prepared statement, reset by `Use` after each use.
class Statement {
 public:
  Statement(sqlite3* handle, const char* sql) : handle_(handle) {
    if (sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) != SQLITE_OK)
      fail_sqlite(handle, sql);
  }
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
    Use& text(std::string_view value) {
      check(sqlite3_bind_text(statement_, ++bound_, value.data(), static_cast<int>(value.size()),
                              SQLITE_TRANSIENT));
      return *this;
    }
    Use& optional_text(std::string_view value) { return value.empty() ? null() : text(value); }
    Use& number(int64_t value) {
      check(sqlite3_bind_int64(statement_, ++bound_, value));
      return *this;
    }
    Use& optional_number(int64_t value) { return value == 0 ? null() : number(value); }
    Use& null() {
      check(sqlite3_bind_null(statement_, ++bound_));
      return *this;
    }
    // Whether there is a (further) row.
    bool next() {
      const int code = sqlite3_step(statement_);
      if (code != SQLITE_ROW && code != SQLITE_DONE) fail_sqlite(handle_, sqlite3_sql(statement_));
      return code == SQLITE_ROW;
    }
    void run() {
      while (next()) {
      }
    }
    std::string text_at(int column) const {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
      return text == nullptr
                 ? std::string()
                 : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
    }
    int64_t number_at(int column) const { return sqlite3_column_int64(statement_, column); }

   private:
    void check(int code) {
      if (code != SQLITE_OK) fail_sqlite(handle_, "binding a value");
    }
    sqlite3_stmt* statement_;
    sqlite3* handle_;
    int bound_ = 0;
  };
  Use use() { return Use(*this); }

 private:
  sqlite3* handle_;
  sqlite3_stmt* statement_ = nullptr;
};

void execute(sqlite3* handle, const char* sql) {
  if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK)
    fail_sqlite(handle, std::string_view(sql).substr(0, 60));
}

// Takes the write lock at once: a read that turns into a write could not wait for another writer.
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

struct Connection {
  sqlite3* handle = nullptr;
  explicit Connection(const std::filesystem::path& file) {
    const int code = sqlite3_open_v2(
        file.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (code != SQLITE_OK) {
      const Error error = in_opening(file);
      sqlite3_close(handle);
      throw error;
    }
    try {
      sqlite3_busy_timeout(handle, busy_timeout_ms);
      execute(handle,
              "pragma foreign_keys = 1");  // per connection; without it deletions break the references
      execute(handle, "pragma journal_mode = wal");
      execute(handle, "pragma synchronous = normal");
      execute(handle, "pragma wal_autocheckpoint = 40000");
      create_tables();
    } catch (...) {
      sqlite3_close(handle);
      throw;
    }
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { sqlite3_close(handle); }

 private:
  Error in_opening(const std::filesystem::path& file) const {
    try {
      fail_sqlite(handle, "opening " + file.string());
    } catch (const Error& error) {
      return error;
    }
  }
  void create_tables() {
    {
      Statement known(handle, "select 1 from sqlite_master where name = 'ValidPaths'");
      if (known.use().next()) return;
    }
    Transaction transaction(handle);
    execute(handle, schema);
    transaction.commit();
  }
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (size_t start = 0; start < text.size();) {
    const size_t end = std::min(text.find(' ', start), text.size());
    if (end > start) words.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return words;
}

std::string join(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

}  // namespace

struct Database::State {
  explicit State(const std::filesystem::path& file) : connection(file) {}

  mutable std::mutex mutex;
  Connection connection;
  Statement find{connection.handle,
                 "select id, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths "
                 "where path = ?"};
  Statement references{
      connection.handle,
      "select path from Refs join ValidPaths on reference = ValidPaths.id where referrer = ?"};
  Statement reachable{connection.handle,
                      "with recursive Reached(id) as (select id from ValidPaths where path = ? union "
                      "select reference from Refs join Reached on referrer = Reached.id) "
                      "select path from ValidPaths join Reached using (id)"};
  Statement data_version{connection.handle, "pragma data_version"};
  Statement list{connection.handle, "select path from ValidPaths"};
  Statement insert{
      connection.handle,
      "insert into ValidPaths (path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca) "
      "values (?, ?, ?, ?, ?, ?, ?, ?)"};
  Statement refer{connection.handle, "insert or replace into Refs (referrer, reference) values (?, ?)"};
  Statement sign{connection.handle, "update ValidPaths set sigs = ? where id = ?"};

  // 0 if it is not valid.
  int64_t id_of(const StorePath& path) {
    auto row = find.use();
    row.text(path.to_string());
    return row.next() ? row.number_at(0) : 0;
  }

  void merge_signatures(const StorePath& path, const std::vector<std::string>& signatures) {
    int64_t id = 0;
    std::vector<std::string> all;
    {
      auto row = find.use();
      row.text(path.to_string());
      if (!row.next()) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
      id = row.number_at(0);
      all = split(row.text_at(6));
    }
    const size_t before = all.size();
    for (const std::string& signature : signatures)
      if (std::ranges::find(all, signature) == all.end()) all.push_back(signature);
    if (all.size() != before) sign.use().text(join(all)).number(id).run();
  }

  // Adds the row; true if it is new.
  bool add_row(const PathInfo& info) {
    const std::string hash = "sha256:" + to_hex(bytes_of(info.nar_hash));
    std::optional<std::string> known;
    {
      auto row = find.use();
      row.text(info.path.to_string());
      if (row.next()) known = row.text_at(1);
    }
    if (known) {
      if (*known != hash)
        fail(ErrorKind::conflict, "{} is in the store already, with other contents", info.path.to_string());
      merge_signatures(info.path, info.signatures);
      return false;
    }
    insert.use()
        .text(info.path.to_string())
        .text(hash)
        .number(info.registration_time != 0 ? info.registration_time
                                            : static_cast<int64_t>(std::time(nullptr)))
        .optional_text(info.deriver ? info.deriver->to_string() : std::string())
        .optional_number(static_cast<int64_t>(info.nar_size))
        .optional_number(info.ultimate ? 1 : 0)
        .optional_text(join(info.signatures))
        .optional_text(info.content_address.value_or(""))
        .run();
    return true;
  }
};

Database::Database(const std::filesystem::path& file) : state_(std::make_unique<State>(file)) {}
Database::~Database() = default;

std::optional<PathInfo> Database::query(const StorePath& path) const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->find.use();
  row.text(path.to_string());
  if (!row.next()) return std::nullopt;
  return in_context("store database: " + path.to_string(), [&] {
    PathInfo info{.path = path};
    info.nar_hash = nix::parse_hash(row.text_at(1));
    info.registration_time = row.number_at(2);
    if (const std::string deriver = row.text_at(3); !deriver.empty())
      info.deriver = StorePath::parse(deriver);
    info.nar_size = static_cast<uint64_t>(row.number_at(4));
    info.ultimate = row.number_at(5) != 0;
    info.signatures = split(row.text_at(6));
    if (std::string ca = row.text_at(7); !ca.empty()) info.content_address = std::move(ca);
    auto reference = state_->references.use();
    reference.number(row.number_at(0));
    while (reference.next()) info.references.insert(StorePath::parse(reference.text_at(0)));
    return info;
  });
}

bool Database::is_valid(const StorePath& path) const {
  const std::lock_guard lock(state_->mutex);
  return state_->id_of(path) != 0;
}

StorePathSet Database::all() const {
  const std::lock_guard lock(state_->mutex);
  StorePathSet paths;
  auto row = state_->list.use();
  while (row.next()) paths.insert(StorePath::parse(row.text_at(0)));
  return paths;
}

DatabaseVersion Database::version() const {
  const std::lock_guard lock(state_->mutex);
  auto row = state_->data_version.use();
  row.next();
  return {.others = row.number_at(0), .own = sqlite3_total_changes64(state_->connection.handle)};
}

StorePathSet Database::closure(const StorePathSet& paths) const {
  const std::lock_guard lock(state_->mutex);
  StorePathSet result;
  for (const StorePath& path : paths) {
    if (result.contains(path)) continue;
    auto row = state_->reachable.use();
    row.text(path.to_string());
    bool valid = false;
    while (row.next()) {
      valid = true;
      result.insert(StorePath::parse(row.text_at(0)));
    }
    if (!valid) fail(ErrorKind::not_found, "{} is not in the store", path.to_string());
  }
  return result;
}

void Database::register_valid(const std::vector<PathInfo>& infos) {
  in_reference_order(infos);  // throws for circles
  const std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->connection.handle);
  std::vector<const PathInfo*> fresh;
  for (const PathInfo& info : infos)
    if (state_->add_row(info)) fresh.push_back(&info);
  for (const PathInfo* info : fresh) {
    const int64_t referrer = state_->id_of(info->path);
    for (const StorePath& reference : info->references) {
      const int64_t id = state_->id_of(reference);
      if (id == 0)
        fail(ErrorKind::invalid_input, "cannot register {}: its reference {} is not in the store",
             info->path.to_string(), reference.to_string());
      state_->refer.use().number(referrer).number(id).run();
    }
  }
  transaction.commit();
}

void Database::add_signatures(const StorePath& path, const std::vector<std::string>& signatures) {
  const std::lock_guard lock(state_->mutex);
  Transaction transaction(state_->connection.handle);
  state_->merge_signatures(path, signatures);
  transaction.commit();
}

}  // namespace flox::store
