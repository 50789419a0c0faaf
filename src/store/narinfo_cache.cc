#include "store/narinfo_cache.h"

#include <ctime>
#include <mutex>
#include <vector>

#include "base/error.h"
#include "base/log.h"
#include "base/sqlite.h"

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

struct Fresh {
  std::string cache, name;
  std::optional<std::string> text;
  bool forget = false;
};

}  // namespace

struct NarinfoCache::State {
  explicit State(const NarinfoCacheOptions& given) : options(given) {}

  bool open(const std::filesystem::path& file) {
    try {
      answers = std::make_unique<Answers>(file);
    } catch (const Error& error) {
      log::debug("{}", error.what());
    }
    return answers != nullptr;
  }

  NarinfoCacheOptions options;
  std::mutex mutex;
  std::unique_ptr<Answers> answers;  // null: done without
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
  const std::lock_guard lock(state_->mutex);
  if (state_->answers) state_->fresh.push_back({cache, name, text});
}

void NarinfoCache::forget(const std::string& cache, const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  if (state_->answers) state_->fresh.push_back({cache, name, std::nullopt, true});
}

void NarinfoCache::flush() {
  const std::lock_guard lock(state_->mutex);
  if (!state_->answers || state_->fresh.empty()) return;
  std::vector<Fresh> fresh;
  fresh.swap(state_->fresh);
  Answers& answers = *state_->answers;
  try {
    sqlite::Transaction transaction(answers.connection);
    for (const Fresh& entry : fresh) {
      auto row = (entry.forget ? answers.remove : answers.insert).use();
      row.bind(entry.cache).bind(entry.name);
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
