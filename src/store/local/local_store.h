// A store on this machine's disk in Nix's own layout and database (schema 10,
// docs/formats/store-database.md), usable by Nix and by us at the same time.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "nix/path_info.h"
#include "store/local/reference_graph.h"

namespace flox::store {

using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;
namespace fs = std::filesystem;

// A tree that is complete and verified, below the store's scratch directory, and what it shall be registered
// as.
struct ReadyTree {
  PathInfo info;
  fs::path tree;
};

// Thread-safe. Several processes may have the same store open.
class LocalStore {
 public:
  // How long to wait for another process that holds the database's lock, before Error(unavailable).
  static constexpr std::chrono::milliseconds default_lock_timeout{60'000};

  // The store whose files are at ROOT/nix/store and whose state is at ROOT/nix/var/nix ("/" for the machine's
  // own). Made if missing. Throws Error (conflict if the database has a schema other than 10).
  explicit LocalStore(fs::path root, std::chrono::milliseconds lock_timeout = default_lock_timeout);
  ~LocalStore();

  const fs::path& root() const noexcept;
  std::chrono::milliseconds lock_timeout() const noexcept;
  fs::path store_directory() const;  // ROOT/nix/store
  fs::path state_directory() const;  // ROOT/nix/var/nix
  // On the store's file system, and left alone by the collector:
  fs::path scratch_directory() const;               // for temporary trees
  fs::path trash_directory() const;                 // for removed trees until they are deleted
  fs::path staging_directory() const;               // for complete trees until they are installed
  fs::path real_path(const StorePath& path) const;  // where its files are

  // Nothing if the path is not valid.
  std::optional<PathInfo> query(const StorePath& path) const;
  bool is_valid(const StorePath& path) const;
  // Whether the database has a row for this entry of the store's directory, which need not be a store path.
  bool is_registered(std::string_view base_name) const;
  // Without rows of other programs that are not store paths; these and their files are left alone.
  StorePathSet valid_paths() const;
  // The valid path whose digest begins with this.
  std::optional<StorePath> find(std::string_view digest) const;
  // All valid paths and their references, of one moment.
  ReferenceGraph references() const;
  // The paths and all that they refer to. Throws Error(not_found) if one is not valid.
  StorePathSet closure(const StorePathSet& paths) const;
  // Sum of the NAR sizes, bytes.
  uint64_t closure_size(const StorePathSet& closure) const;

  // Registers a set of paths whose files are in place, in one transaction. Every reference must be valid or
  // in the set. A path that is valid already gains the signatures; other contents are Error(conflict).
  void register_valid(const std::vector<PathInfo>& infos);
  // Adds signatures to a valid path.
  void add_signatures(const StorePath& path, const std::vector<std::string>& signatures);

  // Makes paths invalid, in one transaction that is on the disk when this returns; their files stay. A path
  // that another valid one refers to is left alone. In order; gives those that are not valid any more.
  std::vector<StorePath> unregister(const std::vector<StorePath>& paths);

  // Moves each tree into place by one rename and registers all of them in one transaction, under Nix's locks
  // on the paths. What is valid by then is left alone, and its tree stays where it is. On error none is
  // visible. Does not wait for the disk (sync).
  void install(const std::vector<ReadyTree>& trees);

  // Adds a copy of the tree, with canonical metadata, as a content-addressed path with this name; the tree
  // stays and must not change meanwhile. Its references are those of `candidates` whose digests occur in it;
  // `self_placeholder`, if given, is a 32-character digest that stands for its own path in file contents and
  // symlink targets and is replaced by the real one. Already valid: nothing is written. Does not
  // wait for the disk (sync).
  PathInfo add_tree(const fs::path& tree, std::string_view name, const StorePathSet& candidates,
                    std::optional<std::string_view> self_placeholder = std::nullopt);
  // A new directory on the store's file system to build trees in before add_tree; the caller removes it, or
  // this object does when it goes. What a killed process left is removed by the next one that asks for one.
  fs::path make_build_directory();

  // Waits until the files of all valid paths are on the disk, and records that. Does nothing if that is
  // recorded already, if unsynced paths of before the machine's stop are not verified yet, or if a path
  // became valid less than `quiet` ago.
  void sync(std::chrono::seconds quiet = {});
  // The valid paths that may be damaged, because the machine stopped after they were registered and perhaps
  // before their files were on the disk. Nearly always none; recover() (recovery.h) repairs them. About 10
  // us.
  StorePathSet unsynced_paths() const;
  // After their verification: waits until the files of all valid paths are on the disk, and records that.
  void mark_synced();

  // Reserves space on the disk that a collector frees first: on a full disk SQLite could not remove rows
  // otherwise. Does nothing if the disk is full.
  void reserve_space() const noexcept;

  // Protects these paths from collection for the lifetime of this object (Nix's temporary roots,
  // docs/formats/store-locks.md). Call before checking validity.
  void add_temp_roots(const StorePathSet& paths) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace flox::store
