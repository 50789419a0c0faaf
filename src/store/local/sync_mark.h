// Which paths are known to be on the disk. Installing a path does not wait for the disk; a mark, which is on
// the disk before, tells which paths may be damaged if the machine stops too soon.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace flox::store {

// The file STATE/flox/synced: "BOOT ID\n". The machine was in this boot (the kernel's random boot id) when
// all rows of ValidPaths with smaller ids had their files on the disk. Ids only grow (autoincrement), whoever
// adds rows: what Nix adds is covered too.
class SyncMark {
 public:
  explicit SyncMark(const std::filesystem::path& state_directory);

  // Call before rows are added: makes the mark if there is none, and renews one of an earlier boot if no path
  // is unsynced. `next_id` is larger than every row's. Throws Error.
  void begin(int64_t next_id) const;
  // All rows below `next_id` are on the disk now. Replaces the mark, of whatever boot; on the disk itself
  // when this returns. Throws Error.
  void advance(int64_t next_id) const;
  // The first row that may not be on the disk, if the mark is of this boot.
  std::optional<int64_t> pending() const;
  // The same if the mark is of an earlier boot: the machine has stopped since.
  std::optional<int64_t> first_unsynced() const;

 private:
  struct Mark {
    bool of_this_boot;
    int64_t first_row;
  };
  std::optional<Mark> read() const;

  std::filesystem::path file_;
};

}  // namespace flox::store
