// The NAR archive format (nix.md 2), as a stream in constant memory.
#pragma once

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace flox::nix {

// Writes the NAR of the tree at `path`. Throws Error for devices, fifos, sockets and unreadable files.
void write_nar(const std::filesystem::path& path, const ByteSink& sink);

// Unpacks a NAR to `destination`, which must not exist, with canonical metadata (0444/0555, mtime 1).
// Strict as current Nix is (nix.md 2.2): bad names, unsorted entries, truncation, trailing bytes, depth over 64
// are Error(invalid_input). Never follows a symlink, never writes outside `destination`. On error the caller
// removes what is there.
void unpack_nar(const ByteSource& source, const std::filesystem::path& destination);

// Finds which of the `candidates` (32-character digests) occur in a stream (nix.md 8), across piece borders.
class ReferenceScanner {
 public:
  explicit ReferenceScanner(std::set<std::string> candidates);
  void update(std::string_view piece);
  const std::set<std::string>& found() const noexcept { return found_; }

 private:
  std::set<std::string> candidates_;
  std::set<std::string> found_;
  std::string tail_;
};

}  // namespace flox::nix
