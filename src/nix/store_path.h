// The name of an object in the store: /nix/store/<digest>-<name> (docs/formats/store-path.md).
#pragma once  // Fuzzed by fuzz/store_path.cc.

#include <compare>
#include <set>
#include <string>
#include <string_view>

#include "base/data/sha256.h"

namespace flox::nix {

// The logical store directory. It is part of every hash, so it never changes; a store under --root only moves
// the files, not the names.
inline constexpr std::string_view store_dir = "/nix/store";

// The digest at the beginning of a base name: so many characters of base-32, which encode so many bytes.
inline constexpr size_t digest_length = 32;
inline constexpr size_t digest_bytes = 20;
// Whether the text has the form of a digest.
bool is_digest(std::string_view text) noexcept;

// A checked store path; immutable value, ordered by base name as Nix orders reference lists.
class StorePath {
 public:
  // From "/nix/store/<digest>-<name>" exactly. Throws Error(invalid_input) with the reason.
  static StorePath parse(std::string_view path);
  // From "<digest>-<name>". Throws Error(invalid_input).
  static StorePath from_base_name(std::string_view base_name);
  // From "/nix/store/<digest>-<name>/bin/web": the store path that contains it. Throws Error(invalid_input).
  static StorePath containing(std::string_view path);

  std::string_view digest() const noexcept { return std::string_view(base_name_).substr(0, digest_length); }
  std::string_view name() const noexcept { return std::string_view(base_name_).substr(digest_length + 1); }
  const std::string& base_name() const noexcept { return base_name_; }
  std::string to_string() const { return std::string(store_dir) + "/" + base_name_; }

  auto operator<=>(const StorePath&) const = default;

 private:
  explicit StorePath(std::string base_name) : base_name_(std::move(base_name)) {}
  std::string base_name_;
};

using StorePathSet = std::set<StorePath>;

// The path that Nix gives the object NAME of this type ("source", "text:REFERENCE", "output:out", …) and
// inner hash (32 bytes of SHA-256; docs/formats/store-path.md). Throws Error(invalid_input) for a bad name,
// and for one with a leading dot, which some versions of Nix refuse.
// Paths of objects that are addressed by their contents: ContentAddress::path (content_address.h).
StorePath make_store_path(std::string_view type, std::string_view inner_hash, std::string_view name);

}  // namespace flox::nix
