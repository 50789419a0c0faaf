#include "store/cache/narinfo_cache.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <mutex>
#include <utility>

#include "base/data/sqlite.h"
#include "base/error.h"
#include "base/log.h"

namespace flox::store {
namespace {

constexpr const char* schema =
    "create table if not exists Answers (cache text not null, name text not null, time integer not null, "
    "text text, "
    "primary key (cache, name)) without rowid";

// Rather asks the network than waits. After a power failure the file may be lost: it is only a memory.
sqlite::Options open_options() {
  return {.name = "narinfo cache",
          .lock_timeout = std::chrono::milliseconds(200),
          .pragmas = "pragma synchronous = off"};
}

sqlite::Connection& with_table(sqlite::Connection& connection) {
  connection.execute(schema);
  return connection;
}

struct Answers {
  explicit Answers(const std::filesystem::path& file) : connection(file, open_options()) {}
  sqlite::Connection connection;
  sqlite::Statement select{with_table(connection),
                           "select time, text from Answers where cache = ? and name = ?"};
  sqlite::Statement insert{connection, "insert or replace into Answers values (?, ?, ?, ?)"};
  sqlite::Statement remove{connection, "delete from Answers where cache = ? and name = ?"};
};

// What is to be done with an answer: forgotten, or remembered as this text or as an absence.
struct Fresh {
  bool forget = false;
  std::optional<std::string> text;
  size_t size() const noexcept { return text ? text->size() : 0; }
};
constexpr size_t most_fresh = 4096;           // entries
constexpr size_t most_fresh_bytes = 4 << 20;  // of their texts

// Bytes that answers take of the file.
uint64_t size_of(const sqlite::Connection& connection) {
  auto number = [&](const char* pragma) {
    sqlite::Query query(connection, pragma);
    return query.next() ? static_cast<uint64_t>(query.number(0)) : 0;
  };
  const uint64_t pages = number("pragma page_count"), unused = number("pragma freelist_count");
  return (pages - std::min(pages, unused)) * number("pragma page_size");
}

}  // namespace

struct NarinfoCache::State {
  explicit State(const NarinfoCacheOptions& given) : options(given) {}

  bool open(const std::filesystem::path& file) {
    try {
      answers = std::make_unique<Answers>(file);
      if (size_of(answers->connection) > options.most) answers->connection.execute("delete from Answers");
    } catch (const Error& error) {
      log::debug("{}", error.what());
    }
    return answers != nullptr;
  }
  void keep(const std::string& cache, const std::string& name, Fresh entry) {
    const std::lock_guard lock(mutex);
    if (!answers) return;
    auto [place, is_new] = fresh.try_emplace({cache, name});
    fresh_bytes += entry.size() - place->second.size();
    place->second = std::move(entry);
    if (fresh.size() >= most_fresh || fresh_bytes >= most_fresh_bytes) write();
  }
  void write();  // under the mutex

  NarinfoCacheOptions options;
  std::mutex mutex;
  std::unique_ptr<Answers> answers;                            // null: done without
  std::map<std::pair<std::string, std::string>, Fresh> fresh;  // by cache and name
  size_t fresh_bytes = 0;
};

NarinfoCache::NarinfoCache(const std::filesystem::path& file, const NarinfoCacheOptions& options)
    : state_(std::make_unique<State>(options)) {
  if (!options.enabled || state_->open(file)) return;
  // Damaged, or of another make.
  std::error_code ignored;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(file.string() + suffix, ignored);
  state_->open(file);
}

NarinfoCache::~NarinfoCache() { flush(); }

std::optional<NarinfoCache::Entry> NarinfoCache::find(const std::string& cache, const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->answers) return std::nullopt;
  try {
    auto row = state_->answers->select.use();
    if (!row.bind(cache).bind(name).next()) return std::nullopt;
    const auto age = std::chrono::seconds(std::time(nullptr) - row.number(0));
    const bool positive = !row.is_null(1);
    if (age < std::chrono::seconds(0) ||
        age >= (positive ? state_->options.positive : state_->options.negative))
      return std::nullopt;
    Entry entry;
    if (positive) entry.text = row.text(1);
    return entry;
  } catch (const Error& error) {
    log::debug("{}", error.what());
    return std::nullopt;
  }
}

void NarinfoCache::remember(const std::string& cache, const std::string& name,
                            const std::optional<std::string>& text) {
  state_->keep(cache, name, {.text = text});
}

void NarinfoCache::forget(const std::string& cache, const std::string& name) {
  state_->keep(cache, name, {.forget = true, .text = {}});
}

void NarinfoCache::flush() {
  const std::lock_guard lock(state_->mutex);
  state_->write();
}

void NarinfoCache::State::write() {
  if (!answers || fresh.empty()) return;
  const auto written = std::exchange(fresh, {});
  fresh_bytes = 0;
  try {
    sqlite::Transaction transaction(answers->connection);
    for (const auto& [key, entry] : written) {
      auto row = (entry.forget ? answers->remove : answers->insert).use();
      row.bind(key.first).bind(key.second);
      if (!entry.forget) {
        row.bind(std::time(nullptr));
        if (entry.text)
          row.bind(*entry.text);
        else
          row.bind_null();
      }
      row.run();
    }
    transaction.commit();
  } catch (const Error& error) {
    log::debug("{}", error.what());
  }
}

}  // namespace flox::store
