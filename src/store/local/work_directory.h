// Directories in which trees are prepared before they enter the store. Each is locked while its maker lives,
// so that what a killed process left behind is known and removed.
#pragma once

#include <filesystem>

#include "base/os/fd.h"

namespace flox::store {

// A new directory below `parent`, locked; removed with all it holds when the object goes.
class WorkDirectory {
 public:
  // Throws Error.
  explicit WorkDirectory(const std::filesystem::path& parent);
  WorkDirectory(WorkDirectory&& other) noexcept
      : path_(std::move(other.path_)), lock_(std::move(other.lock_)) {
    other.path_.clear();
  }
  WorkDirectory& operator=(WorkDirectory&&) = delete;
  ~WorkDirectory();
  const std::filesystem::path& path() const noexcept { return path_; }
  // Leaves the removing to the caller; the lock stays with this object.
  std::filesystem::path keep() noexcept { return std::exchange(path_, {}); }

 private:
  std::filesystem::path path_;
  Fd lock_;
};

// Removes the directories below `parent` that nobody holds any more.
void remove_abandoned(const std::filesystem::path& parent);

}  // namespace flox::store
