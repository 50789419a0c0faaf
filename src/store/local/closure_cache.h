// Closures that were valid, and still are.
//
// Whether one that is remembered still holds is one question to SQLite: its data_version changes with every
// commit of another connection, a collector's or Nix's too, and our own commits are counted. While neither
// has changed, nothing has entered or left the database. What a collector may do next is the temporary roots'
// concern, not this one's: who wants to use a path announces it first and asks then
// (docs/formats/store-locks.md).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "nix/store_path.h"

namespace flox::store {

// Which state of the database an answer belongs to.
struct DatabaseVersion {
  int64_t others = 0;  // pragma data_version
  int64_t own = 0;     // commits of our own connection
  bool operator==(const DatabaseVersion&) const = default;
};

// Thread-safe.
class ClosureCache {
 public:
  std::optional<nix::StorePathSet> find(const nix::StorePathSet& roots, DatabaseVersion now);
  // `then` was read before the closure was: if something is committed in between, the entry is never found.
  void remember(const nix::StorePathSet& roots, const nix::StorePathSet& closure, DatabaseVersion then);

 private:
  static constexpr size_t most = 64;  // closures: those of the pods that a node starts again and again

  std::mutex mutex_;
  DatabaseVersion version_;
  std::map<nix::StorePathSet, nix::StorePathSet> closures_;
};

}  // namespace flox::store
