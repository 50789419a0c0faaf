// The catalog's environments: OWNER/NAME, each a row of generations that are never changed, in SQLite.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "env/lockfile.h"

namespace flox::server {

struct Generation {
  int64_t number = 0;    // 1, 2, …
  std::string manifest;  // manifest.toml
  env::Lockfile lock;
  std::string pushed_at;  // RFC 3339, UTC
};

// Thread-safe.
class EnvironmentRecords {
 public:
  // Opens or makes the database file. Throws Error.
  explicit EnvironmentRecords(const std::filesystem::path& file);
  ~EnvironmentRecords();

  // Adds the next generation and gives it, unless the latest has the same manifest and lock: then that one.
  // `number` is set here.
  Generation push(const std::string& owner, const std::string& name, Generation generation);
  // The latest generation, or that of the number; nothing if there is none.
  std::optional<Generation> find(const std::string& owner, const std::string& name,
                                 std::optional<int64_t> number) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::server
