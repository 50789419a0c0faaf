#include "base/data/jws.h"

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/data/base64url.h"
#include "base/error.h"

namespace flox {
namespace {

constexpr size_t p256_number = 32;  // bytes of each half of an ES256 signature

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// The two numbers of an ES256 signature (RFC 7518, section 3.4) as OpenSSL has them; empty if it is none.
std::string der_signature(std::string_view signature) {
  if (signature.size() != 2 * p256_number) return {};
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> parts(ECDSA_SIG_new(), ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(unsigned_bytes(signature), p256_number, nullptr);
  BIGNUM* s = BN_bin2bn(unsigned_bytes(signature.substr(p256_number)), p256_number, nullptr);
  if (!parts || r == nullptr || s == nullptr || ECDSA_SIG_set0(parts.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return {};
  }
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &der);
  std::string result(reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return result;
}

}  // namespace

void EvpKeyFree::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

CompactJws CompactJws::parse(std::string_view token, size_t longest, std::string_view what) {
  if (token.size() > longest)
    fail(ErrorKind::invalid_input, "{} is over {} bytes, more than is read", what, longest);
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos)
    fail(ErrorKind::invalid_input, "{} is not a signed JSON Web Token", what);
  const auto decoded = [&](std::string_view part, std::string_view name) {
    return in_context(fmt::format("{}: its {}", what, name), [&] { return from_base64url(part); });
  };
  return {.signed_text = std::string(token.substr(0, second)),
          .header = decoded(token.substr(0, first), "header"),
          .payload = decoded(token.substr(first + 1, second - first - 1), "claims"),
          .signature = decoded(token.substr(second + 1), "signature")};
}

bool verifies(evp_pkey_st* key, std::string_view algorithm, std::string_view text,
              std::string_view signature) {
  if (algorithm != "RS256" && algorithm != "ES256" && algorithm != "EdDSA") return false;
  std::string der;
  if (algorithm == "ES256") signature = der = der_signature(signature);
  if (signature.empty()) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  const EVP_MD* digest = algorithm == "EdDSA" ? nullptr : EVP_sha256();
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                    EVP_DigestVerify(context.get(), unsigned_bytes(signature), signature.size(),
                                     unsigned_bytes(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace flox
