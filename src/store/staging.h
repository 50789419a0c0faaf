// Fetched trees that are complete and verified but not in the store yet. They outlive a killed process, so
// that nobody fetches them again, and they let several realisations of one closure share the work.
#pragma once

#include <filesystem>
#include <optional>

#include "nix/path_info.h"
#include "store/path_lock.h"

namespace flox::store {

class LocalStore;

// One staged tree is DIRECTORY/BASE_NAME, with DIRECTORY/BASE_NAME.complete, written last, that says which
// NAR it is and in which boot of the machine it was unpacked: after a crash of the machine its files may be
// damaged.
class Staging {
 public:
  explicit Staging(const LocalStore& store);

  std::filesystem::path tree_of(const nix::StorePath& path) const;
  // The right to fetch the path; nothing if `wait` is off and somebody else is fetching it.
  std::optional<PathLock> lock(const nix::StorePath& path, bool wait) const;
  bool has(const nix::PathInfo& info) const;
  // Takes the tree over by rename. The caller holds the lock.
  void put(const nix::PathInfo& info, const std::filesystem::path& tree) const;
  // Forgets the path and removes what there is of its tree.
  void remove(const nix::StorePath& path) const;
  // Removes trees that nobody has asked for in a day, and incomplete ones.
  void clean() const;

 private:
  std::filesystem::path mark_of(const nix::StorePath& path) const;
  std::string mark(const nix::PathInfo& info) const;

  std::filesystem::path directory_;
  std::string boot_;
};

}  // namespace flox::store
