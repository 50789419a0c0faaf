// narinfo files of binary caches (docs/formats/binary-cache.md).
#pragma once  // Fuzzed by fuzz/narinfo.cc.

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
  // Of the file's index (docs/formats/nar-index.md), if it has one: the SHA-256 of the index's own file, and
  // signatures of index_fingerprint(). Nix passes over both.
  std::optional<Sha256Digest> index_hash = std::nullopt;
  std::vector<std::string> index_signatures = {};

  // Strict on what matters (path, hashes, sizes, references), indifferent to unknown keys and key order. A
  // content address of a form that we do not know is left out.
  // Throws Error(invalid_input) with the key at fault.
  static NarInfo parse(std::string_view text);
  // Throws the same if it describes another path than `path`.
  static NarInfo parse(std::string_view text, const StorePath& path);
  // The URL line of a text that may be no narinfo otherwise; empty if there is none.
  static std::string_view url_in(std::string_view text) noexcept;
  // The name in the cache of the index that such a text names; empty if it names none.
  static std::string index_in(std::string_view text) noexcept;
  std::string to_string() const;
  // "flox-nar-index-1;<path>;sha256:<NarHash>;<NarSize>;sha256:<index's hash>". Only with an index.
  std::string index_fingerprint() const;
  // Signatures of an index that is not named would be malformed.
  void leave_out_index() noexcept {
    index_hash.reset();
    index_signatures.clear();
  }
};

}  // namespace flox::nix
