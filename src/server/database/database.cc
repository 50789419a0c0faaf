#include "server/database/database.h"

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/trace/span.h"

namespace flox::server {
namespace {

constexpr int most_attempts = 20;
constexpr auto longest_wait = std::chrono::seconds(10);  // for a connection that others have
constexpr auto slow_connect = std::chrono::seconds(3);   // from then on the database does not answer
constexpr auto pause_after_hanging = std::chrono::seconds(1);

// Two that collided should not do so again.
void pause_before(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const int most = std::min(1 << std::min(attempt, 6), 50);  // milliseconds
  std::this_thread::sleep_for(
      std::chrono::microseconds(std::uniform_int_distribution<int>(100, most * 1000)(random)));
}

}  // namespace

// A connection that goes back when this goes.
class Database::Lease {
 public:
  explicit Lease(Database& database) : database_(database), connection_(database.take()) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() { database_.give_back(std::move(connection_)); }
  Connection& operator*() const noexcept { return *connection_; }
  Connection* operator->() const noexcept { return connection_.get(); }

 private:
  Database& database_;
  std::unique_ptr<Connection> connection_;
};

// A try at the database, unless it is known not to answer. Throws Error(unavailable) then.
class Database::Patience {
 public:
  explicit Patience(Database& database) : database_(database) {
    const std::lock_guard lock(database_.mutex_);
    if (!database_.is_hanging_) return;
    if (database_.is_asked_again_ || std::chrono::steady_clock::now() < database_.ask_again_)
      throw Error(ErrorKind::unavailable, fmt::format("{}: it does not answer", database_.name()),
                  "Try again later; the catalog's operator sees at /readyz what is wrong.");
    database_.is_asked_again_ = is_asking_again_ = true;
  }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;
  ~Patience() {
    const std::lock_guard lock(database_.mutex_);
    if (is_asking_again_) database_.is_asked_again_ = false;
    if (has_hung_) {
      database_.is_hanging_ = true;
      database_.ask_again_ = std::chrono::steady_clock::now() + pause_after_hanging;
    } else if (is_asking_again_) {
      database_.is_hanging_ = false;
    }
  }
  void has_hung() noexcept { has_hung_ = true; }

 private:
  Database& database_;
  bool is_asking_again_ = false;
  bool has_hung_ = false;
};

void Database::run_transaction(Access access, const std::function<void(Session&)>& work) {
  trace::Span span(access == Access::write ? "database write" : "database read", trace::Kind::client);
  if (span.is_recorded()) span.set("db.system.name", name().starts_with("SQLite") ? "sqlite" : "postgresql");
  Patience patience(*this);
  for (int attempt = 1;; ++attempt) {
    {
      const auto begin = std::chrono::steady_clock::now();
      const std::optional<Lease> lease = [&]() -> std::optional<Lease> {
        try {
          return std::optional<Lease>(std::in_place, *this);
        } catch (const Error&) {
          if (std::chrono::steady_clock::now() - begin > slow_connect) patience.has_hung();
          throw;
        }
      }();
      const Lease& connection = *lease;
      try {
        connection->begin(access);
        work(*connection);
        connection->commit();
        return;
      } catch (const std::exception& error) {
        if (connection->has_hung()) patience.has_hung();
        const bool again = connection->is_lost() && !connection->has_hung() && attempt < most_attempts;
        connection->rollback();
        if (!again) throw;
        log::debug("{}: running a transaction again: {}", name(), message_of(error));
      }
    }
    pause_before(attempt);
  }
}

std::unique_ptr<Database::Connection> Database::take() {
  {
    std::unique_lock lock(mutex_);
    const bool there = given_back_.wait_for(lock, longest_wait,
                                            [&] { return !idle_.empty() || count_ < most_connections_; });
    if (!there) fail(ErrorKind::unavailable, "{}: all {} connections are in use", name(), most_connections_);
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    ++count_;
  }
  try {
    return connect();
  } catch (...) {
    {
      const std::lock_guard lock(mutex_);
      --count_;
    }
    given_back_.notify_one();
    throw;
  }
}

void Database::give_back(std::unique_ptr<Connection> connection) noexcept {
  std::vector<std::unique_ptr<Connection>> closed;
  {
    const std::lock_guard lock(mutex_);
    if (connection->is_broken()) {
      // The server went away, so the others have broken, too.
      closed.swap(idle_);
      closed.push_back(std::move(connection));
      count_ -= closed.size();
    } else {
      idle_.push_back(std::move(connection));
    }
  }
  given_back_.notify_one();
}

void Database::check() { row<int64_t>("select 1"); }

void check_values(const Values& values) {
  for (const auto& value : values)
    if (const auto* text = std::get_if<std::string_view>(&value);
        text != nullptr && text->find('\0') != std::string_view::npos)
      fail(ErrorKind::invalid_input, "a text has a NUL character, which cannot be recorded");
}

}  // namespace flox::server
