// The binary cache that the catalog serves: files below DATA/cache, checked before they become visible.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "nix/narinfo.h"

namespace flox::server {

// Thread-safe: a file appears by one rename.
class CacheFiles {
 public:
  explicit CacheFiles(std::filesystem::path directory);

  // The file of that name if there is one. Names that no cache has ("../x", "a/b") are simply not found.
  std::optional<std::filesystem::path> find(std::string_view name) const;
  // Takes over an uploaded file. A NAR must be named by its own SHA-256; a narinfo must parse, be signed, name a
  // NAR that is here with the stated hash and size, and have all its references here. Throws Error(invalid_input,
  // untrusted, not_found). Replacing a NAR by itself is fine.
  void accept(std::string_view name, const std::filesystem::path& uploaded);
  // Is the path's narinfo here, and so its closure?
  bool has(const nix::StorePath& path) const;
  // Where uploads are collected: on the same file system.
  std::filesystem::path upload_directory() const { return directory_ / "uploads"; }

 private:
  void check_narinfo(std::string_view digest, const std::filesystem::path& uploaded) const;
  std::filesystem::path directory_;
};

}  // namespace flox::server
