// SQLite databases that several processes share: a connection, prepared statements, transactions. Errors are
// flox::Error: unavailable for what may pass (another process holds the lock, the disk is full, failing or
// read-only), otherwise internal; with advice where somebody can do something.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace flox::sqlite {

struct Options {
  std::string name = "database";                   // what errors begin with
  bool read_only = false;                          // of a read-only file system
  std::chrono::milliseconds lock_timeout{10'000};  // whoever finds it locked waits so long
  // SQL that is run whenever it is opened. With a write-ahead log, which all have, "synchronous" is about
  // what a power failure may take: normal: the last commits; full: nothing; off: the whole file.
  std::string pragmas = "pragma synchronous = normal";
  // What only the owner of the file can say, after the general advice.
  std::string locked_advice;
  std::string full_advice;
  std::string unwritable_advice;
};

// One thread at a time, with all statements and transactions that it lends itself to; they must not outlive
// it.
class Connection {
 public:
  // Opens `file` with a write-ahead log, making it if missing; its directory must be there. `read_only`: the
  // file must be there, and nothing is made. Where nobody has it open to write, nobody may open it so
  // meanwhile by another mount: what is read then may be mixed.
  Connection(const std::filesystem::path& file, Options options);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  // One statement or several, without results.
  void execute(const char* sql);
  // The same for destructors: an error is nobody's.
  void attempt(const char* sql) noexcept;
  // Rows that were changed since it was opened.
  int64_t total_changes() const noexcept;

 private:
  friend class Statement;
  [[noreturn]] void fail(std::string_view doing) const;
  std::string advice_for(int code) const;

  Options options_;
  struct Close {
    void operator()(sqlite3* handle) const noexcept;
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement, to be used any number of times.
class Statement {
 public:
  Statement(const Connection& connection, std::string_view sql);
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  // One use at a time: values bind in order, then rows are read; the statement is reset at its end.
  class Use {
   public:
    explicit Use(const Statement& statement) : statement_(statement) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();
    Use& bind(std::string_view text);
    Use& bind(int64_t number);
    Use& bind_null();
    // Empty text and the number 0 are NULL.
    Use& bind_optional(std::string_view text) { return text.empty() ? bind_null() : bind(text); }
    Use& bind_optional(int64_t number) { return number == 0 ? bind_null() : bind(number); }
    // Whether there is a (further) row.
    bool next();
    // To the end. How many rows the statement changed.
    int run();
    // Of the row; NULL is empty or 0. A view is valid until the next row is asked for.
    std::string_view view(int column) const;
    std::string text(int column) const { return std::string(view(column)); }
    int64_t number(int column) const;
    bool is_null(int column) const;

   private:
    void check(int code) const;
    const Statement& statement_;
    int bound_ = 0;
  };
  Use use() const { return Use(*this); }

 private:
  const Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

// A statement that is used once.
class Query : private Statement, public Statement::Use {
 public:
  Query(const Connection& connection, std::string_view sql)
      : Statement(connection, sql), Statement::Use(static_cast<const Statement&>(*this)) {}
};

// Rolled back unless committed.
class Transaction {
 public:
  enum class Kind {
    // Takes the write lock at once: a read that turns into a write could not wait for another writer.
    write,
    read,  // what is read is of one moment
  };
  explicit Transaction(Connection& connection, Kind kind = Kind::write);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace flox::sqlite
