// JSON Web Signatures in compact serialization (RFC 7515, section 7.1): HEADER.PAYLOAD.SIGNATURE, each in
// base64url. What header and payload say, and which key counts, is their callers'.
#pragma once  // Fuzzed by fuzz/jwt.cc and fuzz/service_account.cc.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace flox {

struct EvpKeyFree {
  void operator()(evp_pkey_st* key) const noexcept;
};
using EvpKey = std::unique_ptr<evp_pkey_st, EvpKeyFree>;

// Nothing of it is true until a key has verified it.
struct CompactJws {
  std::string signed_text;                 // HEADER.PAYLOAD, as they stand there
  std::string header, payload, signature;  // decoded

  // Throws Error(invalid_input), which names `what` and does not quote the token: for one over `longest`
  // bytes, and for what has not three such parts.
  static CompactJws parse(std::string_view token, size_t longest, std::string_view what);
};

// Whether the public key made the signature of the text. `algorithm`: RS256, ES256, EdDSA (RFC 7518, section
// 3; RFC 8037), else false; the key must be of its kind.
bool verifies(evp_pkey_st* key, std::string_view algorithm, std::string_view text,
              std::string_view signature);

}  // namespace flox
