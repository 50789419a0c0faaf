// Nix's own store database (SQLite, schema 10; docs/formats/store-database.md): which paths are valid and
// what is known of them.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nix/path_info.h"
#include "store/local/closure_cache.h"
#include "store/local/reference_graph.h"

namespace flox::store {

// Thread-safe: one connection, one statement at a time. Waits for other writers for as long as it was told,
// then throws Error(unavailable).
class Database {
 public:
  // Opens `file`, making it and its tables if missing (the caller holds the big lock then). Throws Error.
  // `read_only` as sqlite::Options has it.
  Database(const std::filesystem::path& file, std::chrono::milliseconds lock_timeout, bool read_only = false);
  ~Database();

  // Rows that we would not have written, which other programs or damage leave, stop nothing that lists many:
  // where a set of paths is given they are not in it, and one warning names each. Here: Error(invalid_input)
  // if the row's hash or one of its references is odd.
  std::optional<nix::PathInfo> query(const nix::StorePath& path) const;
  // Whether there is a row of this full path, which need not be one of ours.
  bool has_row(std::string_view path) const;
  bool is_valid(const nix::StorePath& path) const;
  // All valid paths.
  nix::StorePathSet all() const;
  // The paths of the rows from this id on: those that were registered last.
  nix::StorePathSet since(int64_t id) const;
  // When the youngest of them was registered, Unix seconds; 0 if there is none.
  int64_t last_registration_since(int64_t id) const;
  // Larger than every row's id; all that is registered from now on gets ids not below it.
  int64_t next_id() const;
  // Changes whenever anybody, this process too, has changed the database. About 3 us.
  DatabaseVersion version() const;
  // The valid path with this digest (or beginning of one).
  std::optional<nix::StorePath> find(std::string_view digest) const;
  // Every valid path and reference, of one moment.
  ReferenceGraph references() const;
  // Throws Error(not_found) if one of the paths is not valid.
  nix::StorePathSet closure(const nix::StorePathSet& paths) const;

  // One transaction. Every reference must be valid or in the set, and the set free of circles (other than a
  // path's reference to itself): Error(invalid_input). A path that is valid already keeps its row and gains
  // the signatures; a different NAR hash is Error(conflict).
  void register_valid(const std::vector<nix::PathInfo>& infos);
  void add_signatures(const nix::StorePath& path, const std::vector<std::string>& signatures);

  // Makes paths invalid, in one transaction that is on the disk when this returns: their files may go then.
  // In order; a path that another valid one refers to, or that is not valid, stays as it is. Gives those that
  // were removed.
  std::vector<nix::StorePath> remove(const std::vector<nix::StorePath>& paths);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::store
