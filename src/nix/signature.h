// Ed25519 keys and signatures in Nix's text forms (docs/formats/binary-cache.md).
#pragma once  // Fuzzed by fuzz/key.cc.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/secret.h"
#include "nix/narinfo.h"
#include "nix/path_info.h"

namespace flox::nix {

// "name:base64(64 bytes)".
struct Signature {
  std::string key_name;
  std::string bytes;
  // Nothing for what is no signature.
  static std::optional<Signature> parse(std::string_view text);
};
// The name in front of a signature's colon. It proves nothing by itself.
std::string_view key_name_of(std::string_view signature) noexcept;

// "name:base64(32 bytes)".
struct PublicKey {
  std::string name;
  std::string bytes;
  static PublicKey parse(std::string_view text);  // throws Error(invalid_input)
  std::string to_string() const;
};

// Whether `signature` (64 bytes) is the key's for the message. False for one of another size.
bool verifies(const PublicKey& key, std::string_view message, std::string_view signature);

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

// Signs the path. What a key of the same name has signed before goes.
void sign(PathInfo& info, const SecretKey& key);
// The same of the index that the narinfo names, if it names one.
void sign_index(NarInfo& narinfo, const SecretKey& key);

// The trusted keys, by name.
class TrustedKeys {
 public:
  TrustedKeys() = default;
  explicit TrustedKeys(const std::vector<std::string>& texts);  // throws Error(invalid_input)
  void add(const PublicKey& key);
  // Name of the first key that validly signed the path info; empty if none did.
  std::string signer_of(const PathInfo& info) const;
  // The same for the index that the narinfo names: a signature of the path says nothing of it.
  std::string index_signer_of(const NarInfo& narinfo) const;
  bool empty() const noexcept { return keys_.empty(); }
  std::vector<std::string> names() const;

 private:
  std::string signer_of(const std::string& message, const std::vector<std::string>& signatures) const;

  std::map<std::string, PublicKey, std::less<>> keys_;
};

}  // namespace flox::nix
