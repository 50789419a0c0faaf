#include "nix/hash.h"

#include <openssl/evp.h>

#include <array>

#include "base/data/bytes.h"
#include "base/error.h"
#include "nix/base32.h"

namespace flox::nix {
namespace {

struct Algorithm {
  std::string_view name;
  size_t size;
  const EVP_MD* (*digest)();
};
constexpr std::array<Algorithm, 4> algorithms = {
    {{"md5", 16, EVP_md5}, {"sha1", 20, EVP_sha1}, {"sha256", 32, EVP_sha256}, {"sha512", 64, EVP_sha512}}};

const Algorithm& get(HashAlgorithm algorithm) { return algorithms.at(static_cast<size_t>(algorithm)); }

size_t hash_size(HashAlgorithm algorithm) { return get(algorithm).size; }
size_t base64_length(size_t bytes) { return (bytes + 2) / 3 * 4; }

}  // namespace

std::string_view to_string(HashAlgorithm algorithm) noexcept {
  return algorithms[static_cast<size_t>(algorithm)].name;
}

std::optional<HashAlgorithm> find_hash_algorithm(std::string_view name) noexcept {
  for (size_t i = 0; i < algorithms.size(); ++i)
    if (algorithms[i].name == name) return static_cast<HashAlgorithm>(i);
  return std::nullopt;
}

Hash Hash::parse(std::string_view text) {
  return in_context(fmt::format("hash '{}'", text), [&] {
    const size_t separator = text.find_first_of(":-");
    if (separator == std::string_view::npos)
      fail(ErrorKind::invalid_input, "it does not begin with the name of an algorithm, as in 'sha256:'");
    const auto algorithm = find_hash_algorithm(text.substr(0, separator));
    if (!algorithm)
      fail(ErrorKind::invalid_input, "'{}' is not a hash algorithm; known are md5, sha1, sha256 and sha512",
           text.substr(0, separator));
    Hash hash{.algorithm = *algorithm, .bytes = {}};
    const bool sri = text[separator] == '-';
    const std::string_view digits = text.substr(separator + 1);
    const size_t size = hash_size(hash.algorithm);
    if (!sri && digits.size() == 2 * size)
      hash.bytes = from_hex(digits);
    else if (!sri && digits.size() == base32_length(size))
      hash.bytes = from_base32(digits, size);
    else if (digits.size() == base64_length(size))
      hash.bytes = from_base64(digits);
    if (hash.bytes.size() != size)
      fail(ErrorKind::invalid_input, "it has the wrong length for {} in hexadecimal, base-32 or base64",
           to_string(hash.algorithm));
    return hash;
  });
}

std::string Hash::to_hex() const { return flox::to_hex(bytes); }
std::string Hash::to_text() const { return fmt::format("{}:{}", to_string(algorithm), to_base32(bytes)); }

struct Hasher::State {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Hasher::Hasher(HashAlgorithm algorithm) : algorithm_(algorithm), state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), get(algorithm).digest(), nullptr) != 1)
    fail(ErrorKind::internal, "OpenSSL does not offer {}", to_string(algorithm));
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view data) {
  if (EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) != 1)
    fail(ErrorKind::internal, "hashing failed in OpenSSL");
}

Hash Hasher::finish() {
  Hash hash{.algorithm = algorithm_, .bytes = std::string(hash_size(algorithm_), '\0')};
  if (EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(hash.bytes.data()),
                         nullptr) != 1)
    fail(ErrorKind::internal, "hashing failed in OpenSSL");
  return hash;
}

}  // namespace flox::nix
