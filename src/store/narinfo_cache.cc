#include "store/narinfo_cache.h"

#include <sqlite3.h>

#include <ctime>
#include <mutex>
#include <vector>

#include "base/log.h"

namespace flox::store {
namespace {

constexpr int busy_timeout_ms = 200;  // rather ask the network than wait
// Bumped when the meaning of the table changes; the old file's name is then forgotten.
constexpr const char* schema =
    "create table if not exists Answers (cache text not null, name text not null, time integer not null, "
    "text text, "
    "primary key (cache, name)) without rowid";

}  // namespace

struct NarinfoCache::State {
  struct Fresh {
    std::string cache, name;
    std::optional<std::string> text;
    bool forget = false;
  };

  explicit State(const NarinfoCacheOptions& given) : options(given) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { close(); }

  bool open(const std::filesystem::path& file) {
    if (sqlite3_open_v2(file.c_str(), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
                        nullptr) == SQLITE_OK) {
      sqlite3_busy_timeout(handle, busy_timeout_ms);
      // After a power failure the file may be lost: it is only a memory.
      for (const char* sql : {"pragma journal_mode = wal", "pragma synchronous = off", schema})
        if (sqlite3_exec(handle, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return give_up("opening it");
      if (prepare(&select, "select time, text from Answers where cache = ? and name = ?") &&
          prepare(&insert, "insert or replace into Answers values (?, ?, ?, ?)") &&
          prepare(&remove, "delete from Answers where cache = ? and name = ?"))
        return true;
    }
    return give_up("opening it");
  }

  bool give_up(const char* doing) {
    log::debug("narinfo cache: {}: {}", doing, sqlite3_errmsg(handle));
    close();
    return false;
  }

  void close() {
    for (sqlite3_stmt** statement : {&select, &insert, &remove}) {
      sqlite3_finalize(*statement);
      *statement = nullptr;
    }
    sqlite3_close(handle);
    handle = nullptr;
  }

  bool prepare(sqlite3_stmt** statement, const char* sql) const {
    return sqlite3_prepare_v3(handle, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, nullptr) == SQLITE_OK;
  }

  static void bind(sqlite3_stmt* statement, int at, const std::string& text) {
    sqlite3_bind_text(statement, at, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
  }

  NarinfoCacheOptions options;
  std::mutex mutex;
  sqlite3* handle = nullptr;
  sqlite3_stmt* select = nullptr;
  sqlite3_stmt* insert = nullptr;
  sqlite3_stmt* remove = nullptr;
  std::vector<Fresh> fresh;
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
  if (state_->handle == nullptr) return std::nullopt;
  sqlite3_stmt* row = state_->select;
  State::bind(row, 1, cache);
  State::bind(row, 2, name);
  std::optional<Entry> result;
  if (sqlite3_step(row) == SQLITE_ROW) {
    const auto age = std::chrono::seconds(std::time(nullptr) - sqlite3_column_int64(row, 0));
    const bool positive = sqlite3_column_type(row, 1) != SQLITE_NULL;
    if (age >= std::chrono::seconds(0) &&
        age < (positive ? state_->options.positive : state_->options.negative)) {
      result.emplace();
      if (positive)
        result->text.emplace(reinterpret_cast<const char*>(sqlite3_column_text(row, 1)),
                             static_cast<size_t>(sqlite3_column_bytes(row, 1)));
    }
  }
  sqlite3_reset(row);
  return result;
}

void NarinfoCache::remember(const std::string& cache, const std::string& name,
                            const std::optional<std::string>& text) {
  const std::lock_guard lock(state_->mutex);
  if (state_->handle != nullptr) state_->fresh.push_back({cache, name, text});
}

void NarinfoCache::forget(const std::string& cache, const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  if (state_->handle != nullptr) state_->fresh.push_back({cache, name, std::nullopt, true});
}

void NarinfoCache::flush() {
  const std::lock_guard lock(state_->mutex);
  if (state_->handle == nullptr || state_->fresh.empty()) return;
  std::vector<State::Fresh> fresh;
  fresh.swap(state_->fresh);
  if (sqlite3_exec(state_->handle, "begin immediate", nullptr, nullptr, nullptr) != SQLITE_OK) return;
  for (const State::Fresh& entry : fresh) {
    sqlite3_stmt* row = entry.forget ? state_->remove : state_->insert;
    State::bind(row, 1, entry.cache);
    State::bind(row, 2, entry.name);
    if (!entry.forget) {
      sqlite3_bind_int64(row, 3, std::time(nullptr));
      if (entry.text)
        State::bind(row, 4, *entry.text);
      else
        sqlite3_bind_null(row, 4);
    }
    sqlite3_step(row);
    sqlite3_reset(row);
  }
  if (sqlite3_exec(state_->handle, "commit", nullptr, nullptr, nullptr) != SQLITE_OK)
    sqlite3_exec(state_->handle, "rollback", nullptr, nullptr, nullptr);
}

}  // namespace flox::store
