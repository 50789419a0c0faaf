// narinfo files of binary caches (docs/formats/binary-cache.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "nix/path_info.h"

namespace flox::nix {

struct NarInfo {
  PathInfo info;
  std::string url;                        // relative to the cache, or absolute
  std::string compression = "none";       // none, xz, zstd, bzip2, br, gzip
  std::optional<Sha256Digest> file_hash;  // of the compressed file
  std::optional<uint64_t> file_size;      // bytes

  // Strict on what matters (path, hashes, sizes, references), indifferent to unknown keys and key order.
  // Throws Error(invalid_input) with the key at fault.
  static NarInfo parse(std::string_view text);
  std::string to_string() const;
};

}  // namespace flox::nix
