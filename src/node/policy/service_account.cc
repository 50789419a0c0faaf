#include "node/policy/service_account.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>

#include "base/data/json.h"
#include "base/data/jws.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/printable.h"

namespace flox::policy {
namespace {

using nlohmann::json;

constexpr std::string_view what = "the service account's token";
constexpr JsonLimits limits{.bytes = largest_token, .depth = 8, .values = 256};
constexpr size_t largest_key_file = 64 << 10;  // bytes

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
  EvpKey key;
  std::string algorithm;  // "RS256", "ES256"
};

ServiceAccountKeys::ServiceAccountKeys(const std::vector<std::string>& files) {
  for (const std::string& file : files) {
    const std::string text = read_file(file, largest_key_file);
    const std::unique_ptr<BIO, decltype(&BIO_free)> input(
        BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
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
  while (token.ends_with('\n')) token.remove_suffix(1);
  const CompactJws parts = CompactJws::parse(token, largest_token, what);
  const json header = parse_json(parts.header, what, limits);
  const std::string algorithm = string_member(header, "alg", what);
  if (std::ranges::none_of(keys_, [&](const auto& key) {
        return key->algorithm == algorithm &&
               verifies(key->key.get(), algorithm, parts.signed_text, parts.signature);
      }))
    throw Error(ErrorKind::untrusted, fmt::format("none of service_account_keys has signed {}", what),
                "Check that they are the keys of this cluster's API server.");
  const json claims = parse_json(parts.payload, what, limits);
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
