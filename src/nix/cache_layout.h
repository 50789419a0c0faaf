// The files of a binary cache: their names, their media types and the most bytes that they may have
// (docs/formats/binary-cache.md).
#pragma once  // Fuzzed by fuzz/cache_layout.cc.

#include <optional>
#include <string>
#include <string_view>

#include "nix/store_path.h"

namespace flox::nix {

inline constexpr std::string_view cache_info_name = "nix-cache-info";
inline constexpr std::string_view nar_directory = "nar/";

// Bytes. Who serves, takes or reads such a file keeps to the same number, so that what a server takes, every
// client can read. A narinfo of this size has some 4,000 references.
inline constexpr size_t max_cache_info_size = 4 << 10;
inline constexpr size_t max_narinfo_size = 256 << 10;
inline constexpr size_t max_listing_size = 16 << 20;
inline constexpr size_t max_index_size = 32 << 20;

// "DIGEST.narinfo" and "DIGEST.ls" of a path; and the digest in such a name, nothing for other names.
std::string narinfo_name(std::string_view digest);
inline std::string narinfo_name(const StorePath& path) { return narinfo_name(path.digest()); }
std::string listing_name(const StorePath& path);
std::optional<std::string_view> digest_of_narinfo_name(std::string_view name) noexcept;
std::optional<std::string_view> digest_of_listing_name(std::string_view name) noexcept;

// What the name of a NAR file ends with, by its compression as narinfos name it: ".nar.zst" for "zstd",
// ".nar" for "none". Nothing for a compression without one here (lzip and others).
std::optional<std::string_view> nar_suffix(std::string_view compression) noexcept;

// "nar/HASH.nar.zst": the name of a NAR file after the SHA-256 of the file.
struct NarFileName {
  Sha256Digest file_hash{};
  std::string_view compression;  // as narinfos name it, in static storage

  // Nothing for every other name.
  static std::optional<NarFileName> parse(std::string_view name);
};
// Throws Error(invalid_input) for a compression without a suffix.
std::string nar_file_name(const Sha256Digest& file_hash, std::string_view compression);

// "nar/HASH.index.zst": the name of a NAR file's index (docs/formats/nar-index.md) after the SHA-256 of the
// index's file; and the hash in such a name, nothing for other names.
std::string index_file_name(const Sha256Digest& hash);
std::optional<Sha256Digest> hash_of_index_name(std::string_view name) noexcept;

// The SHA-256 that the file of this name must have: of what is named after itself, NARs and indexes. Nothing
// for other names.
std::optional<Sha256Digest> hash_of_file_name(std::string_view name) noexcept;

// The media type of the cache's file of this name, for HTTP.
std::string_view media_type_of(std::string_view name) noexcept;

}  // namespace flox::nix
