// The name of an object in the store: /nix/store/<digest>-<name> (docs/formats/store-path.md).
#pragma once

#include <compare>
#include <set>
#include <string>
#include <string_view>

#include "base/data/sha256.h"

namespace flox::nix {

// The logical store directory. It is part of every hash, so it never changes; a store under --root only moves
// the files, not the names.
inline constexpr std::string_view store_dir = "/nix/store";

// A checked store path; immutable value, ordered by base name as Nix orders reference lists.
class StorePath {
 public:
  // From "/nix/store/<digest>-<name>" exactly. Throws Error(invalid_input) with the reason.
  static StorePath parse(std::string_view path);
  // From "<digest>-<name>". Throws Error(invalid_input).
  static StorePath from_base_name(std::string_view base_name);
  // From "/nix/store/<digest>-<name>/bin/web": the store path that contains it. Throws Error(invalid_input).
  static StorePath containing(std::string_view path);

  std::string_view digest() const noexcept { return std::string_view(base_name_).substr(0, 32); }
  std::string_view name() const noexcept { return std::string_view(base_name_).substr(33); }
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
StorePath make_store_path(std::string_view type, std::string_view inner_hash, std::string_view name);

// The path of an object whose address is its content: method NAR, SHA-256 (docs/formats/store-path.md, type
// "source"). `hash` is the NAR's hash, or with `self_reference` its hash modulo self
// (docs/formats/store-path.md). Throws on a bad name.
StorePath content_addressed_path(std::string_view name, const Sha256Digest& hash,
                                 const StorePathSet& references, bool self_reference);

}  // namespace flox::nix
