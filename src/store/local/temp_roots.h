// Nix's temporary GC roots (docs/formats/store-locks.md): a file of this process's own, locked while it
// lives, that names the paths that the collector must leave alone.
#pragma once

#include <filesystem>
#include <mutex>

#include "base/os/fd.h"
#include "nix/store_path.h"

namespace flox::store {

// Thread-safe.
class TempRoots {
 public:
  explicit TempRoots(std::filesystem::path state_directory) : state_(std::move(state_directory)) {}
  ~TempRoots();
  TempRoots(const TempRoots&) = delete;
  TempRoots& operator=(const TempRoots&) = delete;

  // Announces the paths, to a running collector too. Throws Error(unavailable) if a collector holds its lock
  // for ten minutes without listening.
  void add(const nix::StorePathSet& paths);

 private:
  void open_own_file();
  bool announce(const nix::StorePathSet& paths) const;

  std::filesystem::path state_;
  std::filesystem::path file_;
  std::mutex mutex_;
  Fd fd_;
  Fd gc_lock_;
  nix::StorePathSet known_;
};

}  // namespace flox::store
