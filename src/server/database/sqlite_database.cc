#include "server/database/sqlite_database.h"

#include <map>

#include "base/data/sqlite.h"

namespace flox::server {
namespace {

// Each has a cache of pages; handlers and uploads have four threads each, and reading takes microseconds.
constexpr size_t most_connections = 4;
// "pragma user_version": 1 in release 0.1, which opens nothing above it.
constexpr int64_t user_version = 2;

const sqlite::Options& options() {
  static const sqlite::Options all{.name = "the catalog's database",
                                   .pragmas = "pragma synchronous = full; pragma cache_size = -1024"};
  return all;
}

// "$1" of the common dialect as SQLite has it: to SQLite, $1 is a name, numbered by its first place.
std::string with_numbered_parameters(std::string_view sql) {
  std::string result(sql);
  bool in_quotes = false;
  for (size_t i = 0; i < result.size(); ++i) {
    if (result[i] == '\'') in_quotes = !in_quotes;
    if (!in_quotes && result[i] == '$') result[i] = '?';
  }
  return result;
}

class SqliteRow : public Row {
 public:
  explicit SqliteRow(const sqlite::Statement::Use& use) : use_(use) {}
  std::string_view text(int column) const override { return use_.view(column); }
  int64_t number(int column) const override { return use_.number(column); }
  bool is_null(int column) const override { return use_.is_null(column); }

 private:
  const sqlite::Statement::Use& use_;
};

class SqliteConnection : public Database::Connection {
 public:
  // `writing`: held by whoever writes, so that the others wait here and not in SQLite, which sleeps.
  SqliteConnection(const std::filesystem::path& file, std::mutex& writing)
      : connection_(file, options()), writing_(writing, std::defer_lock) {}

  void begin(Access access) override {
    access_ = access;
    if (access == Access::statement) return;
    if (access != Access::read) writing_.lock();
    connection_.execute(access == Access::read ? "begin" : "begin immediate");
  }
  void commit() override {
    if (access_ == Access::statement) return;
    if (access_ == Access::migration)
      connection_.execute(fmt::format("pragma user_version = {}", user_version).c_str());
    connection_.execute("commit");
    end();
  }
  void rollback() noexcept override {
    if (access_ != Access::statement) connection_.attempt("rollback");
    end();
  }
  bool is_lost() const noexcept override { return false; }
  bool is_broken() const noexcept override { return false; }
  void script(std::string_view sql) override { connection_.execute(std::string(sql).c_str()); }

 protected:
  int64_t execute(std::string_view sql, const Values& values, const RowFunction* take) override {
    check_values(values);
    sqlite::Statement::Use use(statement(sql));
    for (const auto& value : values) {
      if (const auto* text = std::get_if<std::string_view>(&value))
        use.bind(*text);
      else if (const auto* number = std::get_if<int64_t>(&value))
        use.bind(*number);
      else
        use.bind_null();
    }
    if (take == nullptr) return use.run();
    const SqliteRow row(use);
    while (use.next()) (*take)(row);
    return 0;
  }

 private:
  const sqlite::Statement& statement(std::string_view sql) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) return known->second;
    return statements_.try_emplace(std::string(sql), connection_, with_numbered_parameters(sql))
        .first->second;
  }
  void end() noexcept {
    access_ = Access::statement;
    if (writing_.owns_lock()) writing_.unlock();
  }

  sqlite::Connection connection_;
  std::map<std::string, sqlite::Statement, std::less<>> statements_;  // by SQL, as many as the code has
  std::unique_lock<std::mutex> writing_;
  Access access_ = Access::statement;
};

class SqliteDatabase : public Database {
 public:
  explicit SqliteDatabase(std::filesystem::path file) : Database(most_connections), file_(std::move(file)) {
    const auto version = row<int64_t>("pragma user_version");
    if (version && std::get<0>(*version) > user_version)
      throw Error(ErrorKind::conflict, fmt::format("{} was written by a newer flox-catalog", file_.string()),
                  "Start that release, or restore the backup made before it.");
  }
  std::string name() const override { return "SQLite, " + file_.string(); }

 protected:
  std::unique_ptr<Connection> connect() override {
    return std::make_unique<SqliteConnection>(file_, writing_);
  }

 private:
  std::filesystem::path file_;
  std::mutex writing_;
};

}  // namespace

std::unique_ptr<Database> open_sqlite(std::filesystem::path file) {
  return std::make_unique<SqliteDatabase>(std::move(file));
}

}  // namespace flox::server
