// A store's database as its users open it: made once, of schema 10, and under Nix's big lock, which keeps Nix
// from upgrading it meanwhile (docs/formats/store-locks.md).
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "base/os/fd.h"
#include "store/local/database.h"

namespace flox::store {

class OpenDatabase {
 public:
  // The one below `state`, ROOT/nix/var/nix. Throws Error: conflict if it has another schema. `read_only`: it
  // is on a read-only file system, and must be there.
  OpenDatabase(const std::filesystem::path& state, std::chrono::milliseconds lock_timeout,
               bool read_only = false);
  Database* operator->() const noexcept { return database_.get(); }

 private:
  Fd big_lock_;  // shared
  std::unique_ptr<Database> database_;
};

// Reserves space that is given up when the disk is full: SQLite could not forget paths without any
// (STATE/db/reserved, as Nix has it). Does nothing if the disk is full.
void reserve_space(const std::filesystem::path& state) noexcept;

}  // namespace flox::store
