// Content addresses: what a path's contents hash to, by which method, and which store path follows from that
// (docs/formats/store-path.md).
#pragma once  // Fuzzed by fuzz/content_address.cc.

#include <optional>
#include <string>
#include <string_view>

#include "nix/hash.h"
#include "nix/store_path.h"

namespace flox::nix {

enum class ContentMethod {
  text,  // the bytes of one file, which may refer to other paths: derivations, builtins.toFile
  flat,  // the bytes of one file
  nar,   // the NAR; for a path that refers to itself, modulo its own digest
};

// "text:sha256:<base-32>", "fixed:<algorithm>:<base-32>", "fixed:r:<algorithm>:<base-32>".
struct ContentAddress {
  ContentMethod method = ContentMethod::nar;
  Hash hash;

  // Nothing for a method or an algorithm that others have and we do not (git trees, BLAKE3): such an address
  // proves nothing to us. Throws Error(invalid_input) for what is no address.
  static std::optional<ContentAddress> parse(std::string_view text);
  // Of the NAR with this SHA-256, which is modulo self if the path refers to itself.
  static ContentAddress of_nar(const Sha256Digest& hash);
  std::string to_string() const;
  // The path of such an object. References are possible for texts (but not to itself) and for NARs hashed by
  // SHA-256 only: Error(invalid_input) otherwise, as for a bad name. `references` is without the path itself.
  StorePath path(std::string_view name, const StorePathSet& references = {},
                 bool self_reference = false) const;
  bool operator==(const ContentAddress&) const = default;
};

// Whether the path's name follows from the content address and the references (which may hold the path
// itself). That the contents hash to the address is for the caller to see.
bool names(const ContentAddress& address, const StorePath& path, const StorePathSet& references);

}  // namespace flox::nix
