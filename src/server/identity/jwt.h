// JSON Web Tokens (RFC 7519), signed in compact serialization (RFC 7515), and the keys that verify them
// (JSON Web Key Sets, RFC 7517). RS256, ES256 and EdDSA with Ed25519 (RFC 7518, RFC 8037); nothing else,
// above all not "none" and no symmetric key.
#pragma once  // Fuzzed by fuzz/jwt.cc.

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace flox::server {

// A token as it says of itself: nothing of it is true until a key has verified it.
struct Jwt {
  std::string algorithm;  // RS256, ES256, EdDSA
  std::string key_id;     // may be empty
  std::string issuer, subject;
  std::vector<std::string> audiences;
  int64_t expires_at = 0;  // seconds since 1970
  int64_t not_before = 0;  // 0: none
  nlohmann::json claims;   // all of them
  std::string signed_text, signature;

  // Throws Error(invalid_input), which does not quote the token: for one over 16 KiB, members that are
  // missing or of another type, another algorithm, critical extensions.
  static Jwt parse(std::string_view token);
};

class JsonWebKeys {
 public:
  JsonWebKeys();
  JsonWebKeys(JsonWebKeys&&) noexcept;
  JsonWebKeys& operator=(JsonWebKeys&&) noexcept;
  ~JsonWebKeys();

  // Keys for other uses and of other kinds are left out. Throws Error(invalid_input): for over 256 KiB or 100
  // keys, a key that is malformed or too weak (RSA under 2,048 bits).
  static JsonWebKeys parse(std::string_view text);

  size_t size() const noexcept;
  // Whether there is a key that the token can mean: of its key_id, or the only one of its kind.
  bool has_key_for(const Jwt& token) const;
  // Whether that key made the token's signature.
  bool verify(const Jwt& token) const;

 private:
  struct Key;
  const Key* key_for(const Jwt& token) const;
  std::vector<std::unique_ptr<Key>> keys_;
};

}  // namespace flox::server
