// Nix's own store database (SQLite, schema 10; nix.md 4.2): which paths are valid and what is known of them.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nix/path_info.h"
#include "store/closure_cache.h"

namespace flox::store {

// Thread-safe: one connection, one statement at a time. Waits at most a minute for other writers, then throws
// Error(unavailable).
class Database {
 public:
  // Opens `file`, making it and its tables if missing (the caller holds the big lock then). Throws Error.
  explicit Database(const std::filesystem::path& file);
  ~Database();

  std::optional<nix::PathInfo> query(const nix::StorePath& path) const;
  bool is_valid(const nix::StorePath& path) const;
  // All valid paths.
  nix::StorePathSet all() const;
  // Changes whenever anybody, this process too, has changed the database. About 3 us.
  DatabaseVersion version() const;
  // Throws Error(not_found) if one of the paths is not valid.
  nix::StorePathSet closure(const nix::StorePathSet& paths) const;

  // One transaction. Every reference must be valid or in the set, and the set free of circles (other than a
  // path's reference to itself): Error(invalid_input). A path that is valid already keeps its row and gains
  // the signatures; a different NAR hash is Error(conflict).
  void register_valid(const std::vector<nix::PathInfo>& infos);
  void add_signatures(const nix::StorePath& path, const std::vector<std::string>& signatures);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::store
