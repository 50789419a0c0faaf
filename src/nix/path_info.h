// What is known of a valid store path, and the message that a signature covers.
#pragma once  // Fuzzed by fuzz/hash.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nix/content_address.h"
#include "nix/store_path.h"

namespace flox::nix {

struct PathInfo {
  StorePath path;
  Sha256Digest nar_hash{};
  uint64_t nar_size = 0;    // bytes
  StorePathSet references;  // may contain the path itself
  std::optional<StorePath> deriver;
  std::vector<std::string> signatures;            // Signature (signature.h), or what somebody wrote there
  std::optional<ContentAddress> content_address;  // of the NAR's SHA-256 for what this project makes
  int64_t registration_time = 0;                  // Unix seconds
  bool ultimate = false;                          // built on this machine

  // "1;<path>;sha256:<base32>;<size>;<references>" (docs/formats/binary-cache.md).
  std::string fingerprint() const;
};

// "sha256:" + base-32, as narinfo files and fingerprints write hashes.
std::string hash_text(const Sha256Digest& hash);
// Reads "sha256:<hex, base-32 or base64>" and SRI "sha256-<base64>". Throws Error(invalid_input).
Sha256Digest parse_hash(std::string_view text);

}  // namespace flox::nix
