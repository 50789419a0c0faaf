#include "base/data/sha256.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/error.h"

namespace flox {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  // Looked up once: EVP_sha256() alone makes OpenSSL 3 search its providers again at every init.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (EVP_DigestInit_ex2(state_->context, algorithm, nullptr) != 1)
    fail(ErrorKind::internal, "starting SHA-256");
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::string_view data) { EVP_DigestUpdate(state_->context, data.data(), data.size()); }

Sha256Digest Sha256::finish() {
  Sha256Digest digest;
  EVP_DigestFinal_ex(state_->context, reinterpret_cast<unsigned char*>(digest.data()), nullptr);
  return digest;
}

Sha256Digest sha256(std::string_view data) {
  Sha256 hash;
  hash.update(data);
  return hash.finish();
}

Sha256Digest hmac_sha256(std::string_view key, std::string_view data) {
  Sha256Digest digest;
  unsigned length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &length);
  return digest;
}

}  // namespace flox
