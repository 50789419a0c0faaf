#include "server/database/postgres_database.h"

#include <libpq-fe.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <list>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <thread>

#include "base/foreign_error.h"
#include "base/net/url.h"

namespace flox::server {
namespace {

// The server ends a statement after the first; a server that has stopped does not, and is given up after the
// second.
constexpr const char* longest_statement = "10s";
constexpr auto longest_call = std::chrono::seconds(12);
// One per thread that may want one: handlers, uploads, housekeeping. PostgreSQL allows 100 of all catalogs.
constexpr size_t most_sessions = 10;
// Of advisory locks: whoever migrates has it. "flox" in ASCII.
constexpr int64_t migration_lock = 0x666c6f78;

// PostgreSQL's messages have lines and a level.
std::string one_line(std::string_view message) {
  while (message.ends_with('\n')) message.remove_suffix(1);
  for (const std::string_view level : {"ERROR:  ", "FATAL:  "})
    if (message.starts_with(level)) message.remove_prefix(level.size());
  std::string result;
  for (const char c : message) {
    if (c == '\n')
      result += "; ";
    else
      result += c == '\t' ? ' ' : c;
  }
  return result;
}

bool starts_with_any(std::string_view state, std::initializer_list<std::string_view> classes) {
  return std::ranges::any_of(classes, [&](std::string_view one) { return state.starts_with(one); });
}

std::string certificates_of_system() {
  for (const char* variable : {"NIX_SSL_CERT_FILE", "SSL_CERT_FILE"})
    if (const char* file = std::getenv(variable); file != nullptr && *file != '\0') return file;
  return "/etc/ssl/certs/ca-certificates.crt";
}

// A directory of sockets, or an address of this machine.
bool is_here(const std::string& host) {
  return host.empty() || host.starts_with('/') || host.starts_with('@') ||
         network_of_host(host) == Network::loopback;
}

// Cuts the connections of calls that take too long: libpq waits for an answer without end, and a server that
// has stopped still keeps its side of the connection.
class Watchdog {
 public:
  Watchdog() : thread_([this] { run(); }) {}
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  struct Entry {
    int socket = -1;
    std::chrono::steady_clock::time_point end;
    bool was_cut = false;
  };
  // A call on the connection with this socket, which stays open until this goes.
  class Call {
   public:
    Call(Watchdog& dog, int socket) : dog_(dog) {
      const std::lock_guard lock(dog_.mutex_);
      self_ = dog_.calls_.insert(dog_.calls_.end(),
                                 {.socket = socket, .end = std::chrono::steady_clock::now() + longest_call});
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() {
      const std::lock_guard lock(dog_.mutex_);
      dog_.calls_.erase(self_);
    }
    bool was_cut() const {
      const std::lock_guard lock(dog_.mutex_);
      return self_->was_cut;
    }

   private:
    Watchdog& dog_;
    std::list<Entry>::iterator self_;
  };

 private:
  static constexpr auto pause = std::chrono::milliseconds(250);
  void run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, pause, [&] { return is_over_; })) {
      const auto now = std::chrono::steady_clock::now();
      for (Entry& call : calls_)
        if (!call.was_cut && call.end < now) {
          call.was_cut = true;
          ::shutdown(call.socket, SHUT_RDWR);
        }
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_over_ = false;
  std::list<Entry> calls_;
  std::thread thread_;  // last: it uses the others
};

class PostgresRow : public Row {
 public:
  explicit PostgresRow(const pqxx::row& row) : row_(row) {}
  std::string_view text(int column) const override {
    const pqxx::field field = row_[column];
    return {field.c_str(), field.size()};
  }
  int64_t number(int column) const override {
    const std::string_view digits = text(column);
    int64_t result = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), result).ec != std::errc() &&
        !digits.empty())
      fail(ErrorKind::internal, "PostgreSQL gave '{}' where a number was expected", digits.substr(0, 40));
    return result;
  }
  bool is_null(int column) const override { return row_[column].is_null(); }

 private:
  const pqxx::row& row_;
};

class PostgresConnection : public Database::Connection {
 public:
  PostgresConnection(const std::string& options, const std::string& name, Watchdog& dog)
      : name_(name), dog_(dog), connection_(options), quiet_(connection_) {
    const Watchdog::Call call(dog_, connection_.sock());
    pqxx::nontransaction(connection_)
        .exec0(fmt::format("set standard_conforming_strings = on; set statement_timeout = '{}'; "
                           "set idle_in_transaction_session_timeout = '60s'",
                           longest_statement));
  }
  PostgresConnection(const PostgresConnection&) = delete;
  PostgresConnection& operator=(const PostgresConnection&) = delete;
  ~PostgresConnection() override { transaction_.reset(); }

  void begin(Access access) override {
    is_lost_ = false;
    may_wait_ = access == Access::migration;
    guarded([&] {
      switch (access) {
        case Access::statement:
          transaction_ = std::make_unique<pqxx::nontransaction>(connection_);
          return;
        case Access::read:
          transaction_ =
              std::make_unique<pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>>(connection_);
          return;
        case Access::write:
          transaction_ = std::make_unique<pqxx::transaction<pqxx::serializable>>(connection_);
          return;
        case Access::migration:
          // What another one committed while this waited for the lock is seen by the statements after it.
          transaction_ = std::make_unique<pqxx::transaction<pqxx::read_committed>>(connection_);
          transaction_->exec0("set local statement_timeout = 0");
          transaction_->exec(fmt::format("select pg_advisory_xact_lock({})", migration_lock));
      }
    });
  }
  void commit() override {
    guarded([&] { transaction_->commit(); });
    transaction_.reset();
  }
  void rollback() noexcept override {
    try {
      const Watchdog::Call call(dog_, connection_.sock());
      transaction_.reset();
    } catch (...) {
      is_broken_ = true;
    }
  }
  bool is_lost() const noexcept override { return is_lost_; }
  bool is_broken() const noexcept override { return is_broken_ || !connection_.is_open(); }
  bool has_hung() const noexcept override { return has_hung_; }
  void script(std::string_view sql) override {
    guarded([&] { transaction_->exec(postgres_schema(sql)); });
  }

 protected:
  int64_t execute(std::string_view sql, const Values& values, const RowFunction* take) override {
    check_values(values);
    std::vector<std::string> texts;
    texts.reserve(values.size());
    std::vector<const char*> parameters;
    for (const auto& value : values) {
      if (const auto* text = std::get_if<std::string_view>(&value))
        parameters.push_back(texts.emplace_back(*text).c_str());
      else if (const auto* number = std::get_if<int64_t>(&value))
        parameters.push_back(texts.emplace_back(std::to_string(*number)).c_str());
      else
        parameters.push_back(nullptr);
    }
    pqxx::result result;
    guarded([&] {
      result = transaction_->exec_prepared(statement(sql), pqxx::prepare::make_dynamic_params(parameters));
    });
    if (take != nullptr)
      for (const auto& row : result) (*take)(PostgresRow(row));
    return static_cast<int64_t>(result.affected_rows());
  }

 private:
  const std::string& statement(std::string_view sql) {
    const auto known = statements_.find(sql);
    if (known != statements_.end()) return known->second;
    std::string name = fmt::format("s{}", statements_.size());
    connection_.prepare(name, std::string(sql));
    return statements_.emplace(std::string(sql), std::move(name)).first->second;
  }

  // Turns libpqxx's exceptions into ours.
  template <typename Call>
  void guarded(Call&& call) {
    if (may_wait_) return translated(call);
    const Watchdog::Call watched(dog_, connection_.sock());
    try {
      translated(call);
    } catch (const Error& error) {
      has_hung_ = watched.was_cut();
      if (!has_hung_) throw;
      throw Error(ErrorKind::unavailable,
                  fmt::format("{}: it has not answered for {} seconds", name_, longest_call.count()),
                  "Try again later: if this was a change, what was recorded of it is found.");
    }
  }
  template <typename Call>
  void translated(Call&& call) {
    try {
      call();
    } catch (const pqxx::in_doubt_error&) {
      is_broken_ = true;
      throw Error(
          ErrorKind::unavailable,
          fmt::format("{}: the connection broke during a commit: whether the change was recorded is unknown",
                      name_),
          "Try again: what was recorded is found, and not recorded twice.");
    } catch (const pqxx::broken_connection& error) {
      is_broken_ = true;
      lost(message_of(error));
    } catch (const pqxx::serialization_failure& error) {
      lost(message_of(error));
    } catch (const pqxx::deadlock_detected& error) {
      lost(message_of(error));
    } catch (const pqxx::unique_violation& error) {
      lost(message_of(error));  // another one has inserted the same: when this is run again, it sees that
    } catch (const pqxx::sql_error& error) {
      const std::string& state = error.sqlstate();  // PostgreSQL manual, appendix A
      if (starts_with_any(state, {"40"})) lost(message_of(error));
      if (starts_with_any(state, {"08", "57P", "25006"}) || !connection_.is_open()) {
        is_broken_ = true;
        lost(message_of(error));
      }
      const std::string message = fmt::format("{}: {}", name_, one_line(message_of(error)));
      if (starts_with_any(state, {"53", "57", "58"}))
        throw Error(ErrorKind::unavailable, message, "PostgreSQL's own log says more.");
      fail(ErrorKind::internal, "{} (SQLSTATE {})", message, state);
    } catch (const pqxx::failure& error) {
      is_broken_ = true;
      fail(ErrorKind::internal, "{}: {}", name_, one_line(message_of(error)));
    }
  }
  [[noreturn]] void lost(const std::string& why) {
    is_lost_ = true;
    throw Error(ErrorKind::unavailable, fmt::format("{}: {}", name_, one_line(why)), "Try again.");
  }

  const std::string& name_;
  Watchdog& dog_;
  pqxx::connection connection_;
  pqxx::quiet_errorhandler quiet_;
  std::map<std::string, std::string, std::less<>> statements_;  // names by SQL
  std::unique_ptr<pqxx::transaction_base> transaction_;
  bool is_lost_ = false;
  bool is_broken_ = false;
  bool has_hung_ = false;
  bool may_wait_ = false;  // for a lock that another one has as long as it needs
};

class PostgresDatabase : public Database {
 public:
  PostgresDatabase(Secret options, std::string name)
      : Database(most_sessions), options_(std::move(options)), name_(std::move(name)) {}
  std::string name() const override { return name_; }

 protected:
  std::unique_ptr<Connection> connect() override {
    try {
      return std::make_unique<PostgresConnection>(options_.reveal(), name_, dog_);
    } catch (const pqxx::failure& error) {
      throw Error(ErrorKind::unavailable, fmt::format("{}: {}", name_, one_line(message_of(error))),
                  "Check that PostgreSQL runs, and --database and its password.");
    }
  }

 private:
  Secret options_;
  std::string name_;
  Watchdog dog_;
};

using Options = std::map<std::string, std::string>;

// As libpq reads the URL.
Options parse(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    throw Error(ErrorKind::invalid_input, "--database: it is not a URL of PostgreSQL",
                "Pass --database postgresql://USER@HOST/DATABASE.");
  char* why = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(url.c_str(), &why), &PQconninfoFree);
  const std::unique_ptr<char, decltype(&PQfreemem)> reason(why, &PQfreemem);
  if (!parsed) {
    // The reason quotes the URL, and the URL may have a password.
    const bool has_login = url.find('@') != std::string::npos;
    fail(ErrorKind::invalid_input, "--database: libpq cannot read the URL{}",
         has_login || why == nullptr ? std::string() : ": " + one_line(why));
  }
  Options options;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option)
    if (option->val != nullptr) options[option->keyword] = option->val;
  if (options.contains("password"))
    throw Error(ErrorKind::untrusted, "--database: the URL has a password, which every process can read",
                "Write it to a file of mode 0600 and pass --database-password-file FILE.");
  return options;
}

std::string quoted(const Options& options) {
  std::string result;
  for (const auto& [key, value] : options) {
    result += (result.empty() ? "" : " ") + key + "='";
    for (const char c : value) {
      if (c == '\'' || c == '\\') result += '\\';
      result += c;
    }
    result += '\'';
  }
  return result;
}

}  // namespace

Secret postgres_options(const std::string& url, const Secret& password) {
  Options options = parse(url);
  const auto otherwise = [&](const char* key, std::string value) {
    options.try_emplace(key, std::move(value));
  };
  const char* mode = std::getenv("PGSSLMODE");
  const auto host = options.find("host");
  if (!options.contains("sslmode") && (mode == nullptr || *mode == '\0') && host != options.end() &&
      !is_here(host->second)) {
    options["sslmode"] = "verify-full";
    otherwise("sslrootcert", certificates_of_system());
  }
  options["client_encoding"] = "UTF8";
  otherwise("application_name", "flox-catalog");
  // Seconds and milliseconds after which a server that is gone without a word is known to be.
  otherwise("connect_timeout", "5");
  otherwise("tcp_user_timeout", "10000");
  otherwise("keepalives_idle", "30");
  if (!password.empty()) options["password"] = password.reveal();
  return Secret(quoted(options));
}

std::string postgres_schema(std::string_view sql) {
  constexpr std::string_view clustered = "without rowid";  // an order of rows that PostgreSQL does not keep
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  std::string result;
  bool in_quotes = false;
  while (!sql.empty()) {
    size_t size = 0;
    while (size < sql.size() && is_word(sql[size])) ++size;
    if (size == 0) {
      if (sql.front() == '\'') in_quotes = !in_quotes;
      size = 1;
    }
    const std::string_view word = sql.substr(0, size);
    if (!in_quotes && word == "without" && sql.starts_with(clustered)) {
      sql.remove_prefix(clustered.size());
      continue;
    }
    result += word;
    if (!in_quotes && word == "text") result += " collate \"C\"";
    sql.remove_prefix(size);
  }
  return result;
}

std::unique_ptr<Database> open_postgres(const std::string& url, const Secret& password) {
  const Options options = parse(url);
  const auto option = [&](const char* key) {
    const auto found = options.find(key);
    return found == options.end() ? std::string("?") : found->second;
  };
  std::string name =
      fmt::format("PostgreSQL, {}{}", options.contains("host") ? option("host") + "/" : "", option("dbname"));
  return std::make_unique<PostgresDatabase>(postgres_options(url, password), std::move(name));
}

}  // namespace flox::server
