// The catalog's database: one interface for SQLite and PostgreSQL, and the SQL that both read.
//
// The common dialect, which docs/formats/catalog-database.md has with examples:
//   - parameters are $1, $2, …; one may stand in several places;
//   - column types are text and bigint, nothing else: times are Unix seconds or RFC 3339, flags 0 and 1;
//   - "on conflict (…) do nothing" or "do update set x = excluded.x"; "returning"; "limit $1"; row values;
//   - texts compare by bytes in both, so "order by name" and "where name > $1" give the same pages;
//   - "create table … without rowid" keeps the rows in the order of the primary key where the database can
//   (SQLite);
//   - a name or alias is none of the other's words ("user", "end", "order").
// Texts are UTF-8 without NUL, which PostgreSQL does not have: another one is Error(invalid_input).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace flox::server {

// What a parameter stands for: NULL, a number, a text. A text must live until the statement has run.
using Value = std::variant<std::nullptr_t, int64_t, std::string_view>;
using Values = std::vector<Value>;

// Of an answer, during the call that gives it.
class Row {
 public:
  virtual ~Row() = default;
  virtual std::string_view text(int column) const = 0;  // NULL is empty
  virtual int64_t number(int column) const = 0;         // NULL is 0
  virtual bool is_null(int column) const = 0;

  // As std::string, int64_t, or an optional of either.
  template <typename Column>
  Column get(int column) const {
    if constexpr (std::is_same_v<Column, std::string>) {
      return std::string(text(column));
    } else if constexpr (std::is_same_v<Column, int64_t>) {
      return number(column);
    } else {
      return is_null(column) ? Column() : Column(get<typename Column::value_type>(column));
    }
  }
};

// Statements of one transaction. One thread at a time.
class Session {
 public:
  using RowFunction = std::function<void(const Row&)>;
  virtual ~Session() = default;

  // How many rows the statement changed.
  int64_t run(std::string_view sql, const Values& values = {}) { return execute(sql, values, nullptr); }
  // Calls `take` with each row. It must not use the session.
  void each(std::string_view sql, const Values& values, const RowFunction& take) {
    execute(sql, values, &take);
  }
  // All rows: rows<std::string, int64_t>("select name, number from …", {…}).
  template <typename... Columns>
  std::vector<std::tuple<Columns...>> rows(std::string_view sql, const Values& values = {}) {
    std::vector<std::tuple<Columns...>> result;
    each(sql, values, [&](const Row& row) {
      result.push_back(columns_of<Columns...>(row, std::index_sequence_for<Columns...>()));
    });
    return result;
  }
  // The first row, if there is one.
  template <typename... Columns>
  std::optional<std::tuple<Columns...>> row(std::string_view sql, const Values& values = {}) {
    std::optional<std::tuple<Columns...>> result;
    each(sql, values, [&](const Row& row) {
      if (!result) result = columns_of<Columns...>(row, std::index_sequence_for<Columns...>());
    });
    return result;
  }
  // Several statements without parameters and results: a schema.
  virtual void script(std::string_view sql) = 0;

 protected:
  virtual int64_t execute(std::string_view sql, const Values& values, const RowFunction* take) = 0;

 private:
  template <typename... Columns, size_t... Index>
  static std::tuple<Columns...> columns_of(const Row& row, std::index_sequence<Index...>) {
    return {row.get<Columns>(static_cast<int>(Index))...};
  }
};

enum class Access {
  statement,  // no transaction: one statement, which is one of itself
  read,       // what is read is of one moment
  write,      // as if it ran alone (serializable)
  migration,  // alone indeed: another one waits until it is over
};

// Thread-safe. Errors are unavailable for what may pass (no connection, the disk is full), otherwise
// internal. Connections are made when they are needed, kept, and replaced when they have broken: a database
// that comes back is used again without a restart of the catalog. Of one that has stopped answering, whoever
// asks it is told after the connection's time limit; from then on one at a time finds out whether it answers
// again, and the others are told at once.
class Database {
 public:
  class Connection : public Session {
   public:
    virtual void begin(Access access) = 0;
    virtual void commit() = 0;
    virtual void rollback() noexcept = 0;
    // Whether the transaction that failed can be run again from its beginning: it lost to another one, or
    // the connection broke before the commit.
    virtual bool is_lost() const noexcept = 0;
    // Whether the connection is of no use any more.
    virtual bool is_broken() const noexcept = 0;
    // Whether that is because nothing was answered within its time limit.
    virtual bool has_hung() const noexcept { return false; }
  };

  virtual ~Database() = default;
  // For the log: "SQLite, /var/lib/flox/catalog/catalog.sqlite". No secrets.
  virtual std::string name() const = 0;

  // Run `work(Session&)` in a transaction and give its result. What `work` throws rolls it back. It is run
  // again, up to some twenty times, if it lost to another transaction: it must change nothing but the
  // session's.
  template <typename Work>
  auto read(Work&& work) {
    return transact(Access::read, std::forward<Work>(work));
  }
  template <typename Work>
  auto write(Work&& work) {
    return transact(Access::write, std::forward<Work>(work));
  }
  template <typename Work>
  auto transact(Access access, Work&& work) {
    using Result = std::invoke_result_t<Work&, Session&>;
    if constexpr (std::is_void_v<Result>) {
      run_transaction(access, [&](Session& session) { work(session); });
    } else {
      std::optional<Result> result;
      run_transaction(access, [&](Session& session) { result.emplace(work(session)); });
      return Result(std::move(*result));
    }
  }
  // One statement without a transaction around it, which is three times as quick over a network.
  template <typename... Columns>
  auto rows(std::string_view sql, const Values& values = {}) {
    return transact(Access::statement,
                    [&](Session& session) { return session.rows<Columns...>(sql, values); });
  }
  template <typename... Columns>
  auto row(std::string_view sql, const Values& values = {}) {
    return transact(Access::statement,
                    [&](Session& session) { return session.row<Columns...>(sql, values); });
  }
  // Throws Error(unavailable) if the database does not answer.
  void check();

 protected:
  explicit Database(size_t most_connections) : most_connections_(most_connections) {}
  virtual std::unique_ptr<Connection> connect() = 0;

 private:
  class Lease;
  class Patience;
  void run_transaction(Access access, const std::function<void(Session&)>& work);
  std::unique_ptr<Connection> take();
  void give_back(std::unique_ptr<Connection> connection) noexcept;

  const size_t most_connections_;
  std::mutex mutex_;
  std::condition_variable given_back_;
  size_t count_ = 0;                               // lent and idle
  std::vector<std::unique_ptr<Connection>> idle_;  // the last is used first
  bool is_hanging_ = false;
  bool is_asked_again_ = false;  // one finds out whether it answers
  std::chrono::steady_clock::time_point ask_again_{};
};

// Throws Error(invalid_input) for a text with a NUL character. For the implementations.
void check_values(const Values& values);

}  // namespace flox::server
