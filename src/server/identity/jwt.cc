#include "server/identity/jwt.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <cmath>

#include "base/data/base64url.h"
#include "base/data/json.h"
#include "base/data/jws.h"
#include "base/error.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr size_t longest_token = 16 << 10;  // bytes
constexpr JsonLimits header_limits{.bytes = 4 << 10, .depth = 4, .values = 64, .number = 20};
constexpr JsonLimits claims_limits{.bytes = 12 << 10, .depth = 8, .values = 1000, .number = 20};
constexpr JsonLimits keys_limits{.bytes = 256 << 10, .depth = 8, .values = 10'000, .number = 20};
constexpr size_t most_keys = 100;
constexpr size_t most_audiences = 20;
constexpr int least_rsa_bits = 2048;
constexpr int most_rsa_bits = 8192;
constexpr size_t coordinate_size = 32;  // bytes, of P-256
constexpr size_t ed25519_size = 32;
constexpr const char* token_name = "the token";
constexpr const char* keys_name = "the issuer's keys";

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_free)>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)>;
using Params = std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)>;

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// A NumericDate (RFC 7519, section 2); 0 if it is absent.
int64_t time_in(const json& claims, const char* key) {
  const auto found = claims.find(key);
  if (found == claims.end()) return 0;
  const double seconds = found->is_number() ? found->get<double>() : -1;
  if (!(seconds > 0 && seconds < 1e12))
    fail(ErrorKind::invalid_input, "{}: '{}' is not a time", token_name, key);
  return static_cast<int64_t>(std::ceil(seconds));
}

std::vector<std::string> audiences_in(const json& claims) {
  const auto found = claims.find("aud");
  if (found == claims.end()) return {};
  if (found->is_string()) return {found->get<std::string>()};
  if (!found->is_array() || found->size() > most_audiences)
    fail(ErrorKind::invalid_input, "{}: 'aud' is neither a text nor a short list", token_name);
  std::vector<std::string> result;
  for (const auto& one : *found) {
    if (!one.is_string()) fail(ErrorKind::invalid_input, "{}: 'aud' holds what is not a text", token_name);
    result.push_back(one.get<std::string>());
  }
  return result;
}

json object_of(std::string_view text, const char* what, const JsonLimits& limits) {
  const json object = parse_json(text, what, limits);
  if (!object.is_object()) fail(ErrorKind::invalid_input, "{} is not an object", what);
  return object;
}

EvpKey key_from(const char* type, OSSL_PARAM* parameters) {
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* made = nullptr;
  if (!context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
    return {};
  return EvpKey(made);
}

// RFC 7518, section 6.3.1.
EvpKey rsa_key(const json& key) {
  const std::string modulus = from_base64url(string_member(key, "n", keys_name));
  const std::string exponent = from_base64url(string_member(key, "e", keys_name));
  if (modulus.size() > most_rsa_bits / 8 || exponent.size() > 8)
    fail(ErrorKind::invalid_input, "it has over {} bits", most_rsa_bits);
  const Number n(BN_bin2bn(unsigned_bytes(modulus), static_cast<int>(modulus.size()), nullptr), BN_free);
  const Number e(BN_bin2bn(unsigned_bytes(exponent), static_cast<int>(exponent.size()), nullptr), BN_free);
  if (!n || !e || BN_num_bits(n.get()) < least_rsa_bits)
    fail(ErrorKind::invalid_input, "it has under {} bits", least_rsa_bits);
  if (!BN_is_odd(n.get()) || !BN_is_odd(e.get()) || BN_is_one(e.get()))
    fail(ErrorKind::invalid_input, "its numbers are not those of an RSA key");
  const Builder builder(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1)
    return {};
  const Params parameters(OSSL_PARAM_BLD_to_param(builder.get()), OSSL_PARAM_free);
  return key_from("RSA", parameters.get());
}

// RFC 7518, section 6.2.1.
EvpKey p256_key(const json& key) {
  const std::string x = from_base64url(string_member(key, "x", keys_name));
  const std::string y = from_base64url(string_member(key, "y", keys_name));
  if (x.size() != coordinate_size || y.size() != coordinate_size)
    fail(ErrorKind::invalid_input, "its coordinates are not of {} bytes", coordinate_size);
  std::string group = "P-256";
  std::string point = "\x04" + x + y;
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  return key_from("EC", parameters);
}

// RFC 8037, section 2.
EvpKey ed25519_key(const json& key) {
  const std::string x = from_base64url(string_member(key, "x", keys_name));
  if (x.size() != ed25519_size) fail(ErrorKind::invalid_input, "it is not of {} bytes", ed25519_size);
  return EvpKey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, unsigned_bytes(x), x.size()));
}

}  // namespace

Jwt Jwt::parse(std::string_view token) {
  CompactJws parts = CompactJws::parse(token, longest_token, token_name);
  const json header = object_of(parts.header, "the token's header", header_limits);
  Jwt result;
  result.algorithm = string_member(header, "alg", token_name);
  if (result.algorithm != "RS256" && result.algorithm != "ES256" && result.algorithm != "EdDSA")
    throw Error(ErrorKind::invalid_input, fmt::format("{}: its 'alg' is not taken", token_name),
                "Let the issuer sign with RS256, ES256 or EdDSA.");
  if (header.contains("crit"))
    fail(ErrorKind::invalid_input, "{} has critical extensions, which are not known here", token_name);
  result.key_id = optional_string(header, "kid", token_name);
  result.claims = object_of(parts.payload, "the token's claims", claims_limits);
  result.issuer = string_member(result.claims, "iss", token_name);
  result.subject = string_member(result.claims, "sub", token_name);
  result.audiences = audiences_in(result.claims);
  result.expires_at = time_in(result.claims, "exp");
  if (result.expires_at == 0) fail(ErrorKind::invalid_input, "{} has no 'exp'", token_name);
  result.not_before = time_in(result.claims, "nbf");
  result.signed_text = std::move(parts.signed_text);
  result.signature = std::move(parts.signature);
  return result;
}

struct JsonWebKeys::Key {
  std::string id;
  std::string algorithm;
  EvpKey key;
};

JsonWebKeys::JsonWebKeys() = default;
JsonWebKeys::JsonWebKeys(JsonWebKeys&&) noexcept = default;
JsonWebKeys& JsonWebKeys::operator=(JsonWebKeys&&) noexcept = default;
JsonWebKeys::~JsonWebKeys() = default;
size_t JsonWebKeys::size() const noexcept { return keys_.size(); }

JsonWebKeys JsonWebKeys::parse(std::string_view text) {
  const json document = parse_json(text, keys_name, keys_limits);
  const json& list = member(document, "keys", keys_name);
  if (!list.is_array() || list.size() > most_keys)
    fail(ErrorKind::invalid_input, "{}: 'keys' is not a list of at most {}", keys_name, most_keys);
  JsonWebKeys result;
  for (const auto& entry : list) {
    const std::string type = string_member(entry, "kty", keys_name);
    if (const std::string use = optional_string(entry, "use", keys_name); !use.empty() && use != "sig")
      continue;
    auto key = std::make_unique<Key>();
    key->id = optional_string(entry, "kid", keys_name);
    key->algorithm = type == "RSA"                                                            ? "RS256"
                     : type == "EC" && optional_string(entry, "crv", keys_name) == "P-256"    ? "ES256"
                     : type == "OKP" && optional_string(entry, "crv", keys_name) == "Ed25519" ? "EdDSA"
                                                                                              : "";
    const std::string declared = optional_string(entry, "alg", keys_name);
    if (key->algorithm.empty() || (!declared.empty() && declared != key->algorithm)) continue;
    in_context(fmt::format("{}: key {}", keys_name, result.keys_.size() + 1), [&] {
      key->key = type == "RSA" ? rsa_key(entry) : type == "EC" ? p256_key(entry) : ed25519_key(entry);
      if (!key->key) fail(ErrorKind::invalid_input, "it is not a key of type {}", type);
    });
    result.keys_.push_back(std::move(key));
  }
  return result;
}

const JsonWebKeys::Key* JsonWebKeys::key_for(const Jwt& token) const {
  const Key* found = nullptr;
  for (const auto& key : keys_) {
    if (key->algorithm != token.algorithm || (!token.key_id.empty() && key->id != token.key_id)) continue;
    if (found != nullptr) return nullptr;  // it is not clear which
    found = key.get();
  }
  return found;
}

bool JsonWebKeys::has_key_for(const Jwt& token) const { return key_for(token) != nullptr; }

bool JsonWebKeys::verify(const Jwt& token) const {
  const Key* key = key_for(token);
  return key != nullptr && verifies(key->key.get(), token.algorithm, token.signed_text, token.signature);
}

}  // namespace flox::server
