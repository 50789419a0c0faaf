// The catalog's environments: OWNER/NAME, each a row of generations that are never changed, in SQLite.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "env/lockfile.h"
#include "server/records/name_files.h"

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
  // `signed_by` is the name file of that generation: both become visible, or neither. The latest is then
  // given again only for the very same name file. Throws Error(conflict) if the next generation has another
  // number than its version.
  Generation push(const std::string& owner, const std::string& name, Generation generation,
                  const std::optional<StoredNameFile>& signed_by = {});
  // The latest generation, or that of the number; nothing if there is none.
  std::optional<Generation> find(const std::string& owner, const std::string& name,
                                 std::optional<int64_t> number) const;

  // The name files of environments: of that name the latest or that of the version, of all names of the owner
  // the latest, and their changes (NameFiles).
  std::optional<StoredNameFile> name_file(std::string_view owner, std::string_view name,
                                          std::optional<int64_t> version = {}) const;
  std::vector<NameState> name_states(std::string_view owner) const;
  int64_t name_changes(std::string_view owner = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::server
