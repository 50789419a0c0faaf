// Whole files, temporary directories and file locks.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/os/fd.h"

namespace flox {

namespace fs = std::filesystem;

// Nothing that is read whole is larger, unless its reader says so.
constexpr size_t max_read_file = size_t{256} << 20;  // bytes

// The directory in which the path's last name stands, to be opened or made: "." for a name alone.
fs::path directory_of(const fs::path& path);

// The whole file as bytes. Throws Error (not_found if it is missing; invalid_input if it has more than
// `limit` bytes, which a device may have though its size is 0).
std::string read_file(const fs::path& path, size_t limit = max_read_file);

// Replaces the file as a whole: written beside it, then renamed over it. A reader sees the old or the new
// content, never a mixture. Parent directories must exist. Throws Error.
void write_file(const fs::path& path, std::string_view content, unsigned mode = 0644);
// The same, and it is on the disk under its name when this returns.
void write_file_synced(const fs::path& path, std::string_view content, unsigned mode = 0644);

// A new empty directory, removed with all it holds (also read-only directories) when the object goes. It is
// held as long as the object is there, by a lock of F_OFD_SETLK, so flock(2) of it is free for others: one
// that a killed process has left is removed by the next object of its prefix and parent, if that can be told
// (tells_all_locks() of base/os/beside.h) and is looked for: at the 1st, 2nd, 4th, 8th … object of a process.
// A directory that is to stay is made by make_kept_directory (base/os/kept_directory.h).
class TempDir {
 public:
  // Below `parent` (default $TMPDIR or /tmp), named PREFIX followed by "tmp." and six random characters.
  // Throws Error.
  explicit TempDir(std::string_view prefix = "flox-", const fs::path& parent = {});
  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();
  const fs::path& path() const noexcept { return path_; }
  // Leaves the directory alone, which the caller has renamed: under the name that it had it would be removed.
  fs::path release();
  // The number of the lock's descriptor, which a program inherits that takes this process's place: while that
  // has it open, nobody removes the directory. Call it just before; that program sees that its own children
  // do not get it. Throws Error.
  int lock_for_successor() const;

 private:
  fs::path path_;
};

// Removes a tree whatever the modes of its directories; missing is fine. Throws Error.
void remove_tree(const fs::path& path);

// An flock(2) on a file, held until the object goes. The file is made if missing and stays.
class FileLock {
 public:
  enum class Mode { shared, exclusive };
  // Waits for the lock. Throws Error.
  FileLock(const fs::path& path, Mode mode);

 private:
  Fd fd_;
};

}  // namespace flox
