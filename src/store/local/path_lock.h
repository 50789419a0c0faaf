// The lock on one store path that Nix takes while it makes that path: PATH.lock beside it
// (docs/formats/store-locks.md).
#pragma once

#include <filesystem>
#include <optional>

#include "base/os/fd.h"

namespace flox::store {

// Held for the lifetime of the object, which removes the lock file. Take several in sorted order.
// After taking one, check the path's validity again: its last holder may just have made it.
class PathLock {
 public:
  // Waits. `path` is the real path in the store directory. Throws Error.
  explicit PathLock(const std::filesystem::path& path);
  // Does not wait: nothing if somebody else holds it.
  static std::optional<PathLock> try_take(const std::filesystem::path& path);
  PathLock(PathLock&& other) noexcept : file_(std::move(other.file_)), fd_(std::move(other.fd_)) {}
  PathLock& operator=(PathLock&&) = delete;
  ~PathLock();

 private:
  PathLock() = default;
  bool take(bool wait);

  std::filesystem::path file_;
  Fd fd_;
};

// flock(2), retried after signals; false if `wait` is off and somebody else holds it. Throws Error.
bool lock_file(int fd, int operation, bool wait, const std::filesystem::path& shown);

}  // namespace flox::store
