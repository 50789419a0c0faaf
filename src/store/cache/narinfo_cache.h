// What binary caches answered before, on disk: whoever realises again need not ask again.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace flox::store {

struct NarinfoCacheOptions {
  bool enabled = true;
  std::chrono::seconds positive{std::chrono::hours(24 * 30)};  // how long a narinfo is good for
  // How long an absence is. It only changes the order in which caches are asked: before a path is given up,
  // the caches that are remembered not to have it are asked afresh.
  std::chrono::seconds negative{std::chrono::hours(1)};
  // Bytes of the file. Whoever asks for paths that are nowhere adds to it: when it has more, it begins anew.
  uint64_t most = 64ULL << 20;
};

// Thread-safe, and safe among processes. A file that cannot be used is done without: nothing here fails.
class NarinfoCache {
 public:
  struct Entry {
    std::optional<std::string> text;  // none: the cache did not have it
  };

  NarinfoCache(const std::filesystem::path& file, const NarinfoCacheOptions& options);
  ~NarinfoCache();

  // What is remembered of a cache's file, if it is still good.
  std::optional<Entry> find(const std::string& cache, const std::string& name);
  // Kept in memory until flush(), or until there are many: a fetcher tells what it likes, as often as it
  // likes.
  void remember(const std::string& cache, const std::string& name, const std::optional<std::string>& text);
  void forget(const std::string& cache, const std::string& name);
  // Writes what is new in one transaction.
  void flush();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::store
