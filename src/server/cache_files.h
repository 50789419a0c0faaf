// The binary cache that the catalog serves: files below DATA/cache, checked before they become visible.
#pragma once

#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "nix/narinfo.h"

namespace flox::server {

// Thread-safe: a file appears by one rename.
class CacheFiles {
 public:
  explicit CacheFiles(std::filesystem::path directory);

  // The file of that name if there is one. Names that no cache has ("../x", "a/b") are simply not found.
  std::optional<std::filesystem::path> find(std::string_view name) const;
  // Takes over an uploaded file. A NAR must be named by its own SHA-256; a narinfo must parse, be signed,
  // name a NAR that is here with the stated hash and size, have all its references here, and say of a path
  // that is here already just what is known of it (it may add signatures: those that are there stay). Throws
  // Error(invalid_input, untrusted, not_found, conflict). Replacing a NAR by itself is fine.
  void accept(std::string_view name, const std::filesystem::path& uploaded);
  // What is known of a path; nothing if its narinfo or its NAR is not here, or the narinfo is damaged.
  std::optional<nix::NarInfo> narinfo(const nix::StorePath& path) const;
  // The narinfos of all that the paths need, themselves too. Throws Error(invalid_input) naming what is not
  // here.
  std::vector<nix::NarInfo> closure(const nix::StorePathSet& paths) const;
  // Where uploads are collected: on the same file system.
  std::filesystem::path upload_directory() const { return directory_ / "uploads"; }

 private:
  std::optional<nix::NarInfo> narinfo_of(std::string_view digest) const;
  nix::NarInfo check_narinfo(std::string_view digest, const std::filesystem::path& uploaded) const;
  void accept_narinfo(std::string_view digest, const std::filesystem::path& uploaded);
  std::filesystem::path directory_;
  std::mutex narinfo_mutex_;  // between reading what is known of a path and replacing it
};

}  // namespace flox::server
