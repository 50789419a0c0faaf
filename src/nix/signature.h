// Ed25519 keys and signatures in Nix's text forms (docs/formats/binary-cache.md).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/secret.h"
#include "nix/path_info.h"

namespace flox::nix {

// "name:base64(32 bytes)".
struct PublicKey {
  std::string name;
  std::string bytes;
  static PublicKey parse(std::string_view text);  // throws Error(invalid_input)
  std::string to_string() const;
};

// "name:base64(seed || public)".
struct SecretKey {
  std::string name;
  Secret bytes;                                   // 64
  static SecretKey parse(std::string_view text);  // throws Error(invalid_input)
  static SecretKey generate(std::string_view name);
  Secret to_secret_text() const;
  PublicKey public_key() const;
  // "name:base64(signature)" of a message.
  std::string sign(std::string_view message) const;
};

// The keys whose word counts, by name.
class TrustedKeys {
 public:
  TrustedKeys() = default;
  explicit TrustedKeys(const std::vector<std::string>& texts);  // throws Error(invalid_input)
  void add(const PublicKey& key);
  // Name of the first key that validly signed the path info; empty if none did.
  std::string signer_of(const PathInfo& info) const;
  bool empty() const noexcept { return keys_.empty(); }
  std::vector<std::string> names() const;

 private:
  std::map<std::string, PublicKey> keys_;
};

}  // namespace flox::nix
