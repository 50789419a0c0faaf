#include "node/policy/service_account.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/printable.h"

namespace flox::policy {
namespace {

using nlohmann::json;

constexpr std::string_view what = "the service account's token";
constexpr JsonLimits limits{.bytes = largest_token, .depth = 8, .values = 256};
constexpr size_t largest_key_file = 64 << 10;  // bytes
constexpr size_t p256_number = 32;             // bytes of each half of an ES256 signature

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// RFC 4648, section 5, without padding.
std::string from_base64url(std::string_view text) {
  std::string standard(text);
  for (char& c : standard) {
    if (c == '+' || c == '/' || c == '=') fail(ErrorKind::invalid_input, "{}: it is not base64url", what);
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  standard.append((4 - standard.size() % 4) % 4, '=');
  return from_base64(standard);
}

// As ECDSA_verify wants it: JSON Web Signatures have both numbers one behind the other (RFC 7518, 3.4).
std::string to_der(std::string_view signature) {
  const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> numbers(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(unsigned_bytes(signature), p256_number, nullptr);
  BIGNUM* s = BN_bin2bn(unsigned_bytes(signature.substr(p256_number)), p256_number, nullptr);
  if (numbers == nullptr || ECDSA_SIG_set0(numbers.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    fail(ErrorKind::internal, "{}: out of memory", what);
  }
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &bytes);
  if (size <= 0) fail(ErrorKind::internal, "{}: out of memory", what);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

struct Parts {
  std::string_view signed_text;  // HEADER.CLAIMS
  std::string header, claims, signature;
};

Parts parts_of(std::string_view token) {
  while (token.ends_with('\n')) token.remove_suffix(1);
  if (token.size() > largest_token)
    fail(ErrorKind::invalid_input, "{} has more than {} bytes", what, largest_token);
  const size_t first = token.find('.'), last = token.rfind('.');
  if (first == last || std::ranges::count(token, '.') != 2)
    fail(ErrorKind::invalid_input, "{} has not three parts", what);
  return {.signed_text = token.substr(0, last),
          .header = from_base64url(token.substr(0, first)),
          .claims = from_base64url(token.substr(first + 1, last - first - 1)),
          .signature = from_base64url(token.substr(last + 1))};
}

int64_t time_claim(const json& claims, const char* key) {
  const json& value = member(claims, key, what);
  if (!value.is_number_integer()) fail(ErrorKind::invalid_input, "{}: '{}' is not a whole number", what, key);
  return value.get<int64_t>();
}

const json& object_member(const json& object, const char* key) {
  const json& value = member(object, key, what);
  if (!value.is_object()) fail(ErrorKind::invalid_input, "{}: '{}' is not an object", what, key);
  return value;
}

}  // namespace

struct ServiceAccountKeys::Key {
  std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key;
  std::string algorithm;  // "RS256", "ES256"

  bool verifies(std::string_view text, std::string_view signature) const {
    std::string der;
    if (algorithm == "ES256") {
      if (signature.size() != 2 * p256_number) return false;
      der = to_der(signature);
      signature = der;
    }
    const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
    const bool good = context != nullptr &&
                      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
                      EVP_DigestVerify(context.get(), unsigned_bytes(signature), signature.size(),
                                       unsigned_bytes(text), text.size()) == 1;
    ERR_clear_error();
    return good;
  }
};

ServiceAccountKeys::ServiceAccountKeys(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const std::string text = read_file(file, largest_key_file);
    const std::unique_ptr<BIO, Freed<BIO_free>> input(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (input == nullptr) fail(ErrorKind::internal, "{}: out of memory", file);
    size_t found = 0;
    while (EVP_PKEY* read = PEM_read_bio_PUBKEY(input.get(), nullptr, nullptr, nullptr)) {
      auto key = std::make_shared<Key>();
      key->key.reset(read);
      ++found;
      if (EVP_PKEY_is_a(read, "RSA") == 1)
        key->algorithm = "RS256";
      else if (EVP_PKEY_is_a(read, "EC") == 1 && EVP_PKEY_get_bits(read) == 256)
        key->algorithm = "ES256";
      else
        fail(ErrorKind::invalid_input, "{}: key {} is neither an RSA key nor one of the curve P-256", file,
             found);
      keys_.push_back(std::move(key));
    }
    ERR_clear_error();
    if (found == 0)
      throw Error(ErrorKind::invalid_input, fmt::format("{}: there is no public key in it", file),
                  "Name a PEM file with 'BEGIN PUBLIC KEY', as kube-apiserver's --service-account-key-file.");
  }
}

std::string ServiceAccountKeys::account_in(std::string_view token, const PodIdentity& pod,
                                           int64_t now) const {
  const Parts parts = parts_of(token);
  const json header = parse_json(parts.header, what, limits);
  const std::string algorithm = string_member(header, "alg", what);
  if (std::ranges::none_of(keys_, [&](const auto& key) {
        return key->algorithm == algorithm && key->verifies(parts.signed_text, parts.signature);
      }))
    throw Error(ErrorKind::untrusted, fmt::format("none of service_account_keys has signed {}", what),
                "Check that they are the keys of this cluster's API server.");
  const json claims = parse_json(parts.claims, what, limits);
  if (now >= time_claim(claims, "exp")) fail(ErrorKind::untrusted, "{} has expired", what);
  const json& kubernetes = object_member(claims, "kubernetes.io");
  if (!kubernetes.contains("pod")) fail(ErrorKind::untrusted, "{} is bound to no pod", what);
  const json& bound = object_member(kubernetes, "pod");
  if (string_member(kubernetes, "namespace", what) != pod.pod_namespace ||
      string_member(bound, "name", what) != pod.name || pod.uid.empty() ||
      string_member(bound, "uid", what) != pod.uid)
    fail(ErrorKind::untrusted, "{} is another pod's", what);
  return string_member(object_member(kubernetes, "serviceaccount"), "name", what);
}

}  // namespace flox::policy
