#include "nix/signature.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

#include "base/data/bytes.h"
#include "base/error.h"

namespace flox::nix {
namespace {

constexpr size_t seed_size = 32;
constexpr size_t public_size = 32;
constexpr size_t signature_size = 64;

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Context = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

const unsigned char* unsigned_bytes(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

std::string_view trim_key(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

struct NamedBytes {
  std::string name;
  std::string bytes;
};

// "name:base64". The text is never quoted in an error: it may be a secret key.
NamedBytes parse_named(std::string_view text, std::string_view what, size_t size) {
  text = trim_key(text);
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0)
    fail(ErrorKind::invalid_input, "a {} is written NAME:BASE64, but this text has no name before a colon",
         what);
  NamedBytes result{.name = std::string(text.substr(0, colon)), .bytes = {}};
  try {
    result.bytes = from_base64(text.substr(colon + 1));
  } catch (const Error&) {
    fail(ErrorKind::invalid_input, "{} '{}': what follows the colon is not base64", what, result.name);
  }
  if (result.bytes.size() != size)
    fail(ErrorKind::invalid_input, "{} '{}': it has {} bytes instead of {}", what, result.name,
         result.bytes.size(), size);
  return result;
}

std::string raw_public_key(EVP_PKEY* key) {
  std::string bytes(public_size, '\0');
  size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(bytes.data()), &size) != 1 ||
      size != public_size)
    fail(ErrorKind::internal, "OpenSSL gives no Ed25519 public key");
  return bytes;
}

}  // namespace

std::optional<Signature> Signature::parse(std::string_view text) {
  constexpr size_t base64_length = (signature_size + 2) / 3 * 4;
  const std::string_view name = key_name_of(text);
  if (name.empty() || text.size() != name.size() + 1 + base64_length) return std::nullopt;
  Signature signature{.key_name = std::string(name), .bytes = {}};
  try {
    signature.bytes = from_base64(text.substr(name.size() + 1));
  } catch (const Error&) {
    return std::nullopt;
  }
  return signature.bytes.size() == signature_size ? std::optional(std::move(signature)) : std::nullopt;
}

std::string_view key_name_of(std::string_view signature) noexcept {
  return signature.substr(0, signature.find(':'));
}

PublicKey PublicKey::parse(std::string_view text) {
  NamedBytes parts = parse_named(text, "public key", public_size);
  return {.name = std::move(parts.name), .bytes = std::move(parts.bytes)};
}

std::string PublicKey::to_string() const { return name + ":" + to_base64(bytes); }

bool verifies(const PublicKey& key, std::string_view message, std::string_view signature) {
  const Key pkey(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, unsigned_bytes(key.bytes), key.bytes.size()),
      EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!pkey || !context || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, pkey.get()) != 1)
    return false;
  return EVP_DigestVerify(context.get(), unsigned_bytes(signature), signature.size(), unsigned_bytes(message),
                          message.size()) == 1;
}

SecretKey SecretKey::parse(std::string_view text) {
  NamedBytes parts = parse_named(text, "secret key", seed_size + public_size);
  return {.name = std::move(parts.name), .bytes = Secret(std::move(parts.bytes))};
}

SecretKey SecretKey::generate(std::string_view name) {
  if (name.empty() || name.find_first_of(": \t\n") != std::string_view::npos)
    fail(ErrorKind::invalid_input,
         "'{}' cannot name a key: a key name is not empty and has no colon or space", name);
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  if (!key) fail(ErrorKind::internal, "OpenSSL cannot make an Ed25519 key");
  std::string seed(seed_size, '\0');
  size_t size = seed.size();
  if (EVP_PKEY_get_raw_private_key(key.get(), reinterpret_cast<unsigned char*>(seed.data()), &size) != 1)
    fail(ErrorKind::internal, "OpenSSL gives no Ed25519 private key");
  SecretKey result{.name = std::string(name), .bytes = Secret(seed + raw_public_key(key.get()))};
  OPENSSL_cleanse(seed.data(), seed.size());
  return result;
}

Secret SecretKey::to_secret_text() const { return Secret(name + ":" + to_base64(bytes.reveal())); }

PublicKey SecretKey::public_key() const { return {.name = name, .bytes = bytes.reveal().substr(seed_size)}; }

std::string SecretKey::sign(std::string_view message) const {
  const Key key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, unsigned_bytes(bytes.reveal()), seed_size),
      EVP_PKEY_free);
  const Context context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(signature_size, '\0');
  size_t size = signature.size();
  if (!key || !context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     unsigned_bytes(message), message.size()) != 1)
    fail(ErrorKind::internal, "signing with key '{}' failed in OpenSSL", name);
  return name + ":" + to_base64(signature);
}

namespace {

void replace_signature(std::vector<std::string>& signatures, const SecretKey& key,
                       const std::string& message) {
  std::erase_if(signatures, [&](const std::string& signature) { return key_name_of(signature) == key.name; });
  signatures.push_back(key.sign(message));
}

}  // namespace

void sign(PathInfo& info, const SecretKey& key) {
  replace_signature(info.signatures, key, info.fingerprint());
}

void sign_index(NarInfo& narinfo, const SecretKey& key) {
  if (narinfo.index_hash) replace_signature(narinfo.index_signatures, key, narinfo.index_fingerprint());
}

TrustedKeys::TrustedKeys(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) add(PublicKey::parse(text));
}

void TrustedKeys::add(const PublicKey& key) { keys_.insert_or_assign(key.name, key); }

std::string TrustedKeys::signer_of(const PathInfo& info) const {
  return signer_of(info.fingerprint(), info.signatures);
}

std::string TrustedKeys::index_signer_of(const NarInfo& narinfo) const {
  return narinfo.index_hash ? signer_of(narinfo.index_fingerprint(), narinfo.index_signatures)
                            : std::string();
}

std::string TrustedKeys::signer_of(const std::string& message,
                                   const std::vector<std::string>& signatures) const {
  for (const std::string& text : signatures) {
    const auto key = keys_.find(key_name_of(text));
    if (key == keys_.end()) continue;
    const auto signature = Signature::parse(text);  // nothing: another line may hold one
    if (signature && verifies(key->second, message, signature->bytes)) return key->first;
  }
  return {};
}

std::vector<std::string> TrustedKeys::names() const {
  std::vector<std::string> result;
  for (const auto& [name, key] : keys_) result.push_back(name);
  return result;
}

}  // namespace flox::nix
