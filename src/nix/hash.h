// Hashes in the algorithms and text forms of Nix: hexadecimal, base-32, base64 with a prefix "ALGORITHM:",
// and SRI "ALGORITHM-base64".
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace flox::nix {

enum class HashAlgorithm { md5, sha1, sha256, sha512 };
std::string_view to_string(HashAlgorithm algorithm) noexcept;  // "sha256"
HashAlgorithm parse_hash_algorithm(std::string_view name);     // throws Error(invalid_input)
size_t hash_size(HashAlgorithm algorithm) noexcept;            // bytes

struct Hash {
  HashAlgorithm algorithm = HashAlgorithm::sha256;
  std::string bytes;

  // Any of the forms; the digits' number tells which. Throws Error(invalid_input).
  static Hash parse(std::string_view text);
  std::string to_hex() const;   // the digits only
  std::string to_text() const;  // "sha256:<base-32>"
  std::string to_sri() const;   // "sha256-<base64>"
  bool operator==(const Hash&) const = default;
};

// Of a stream.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  Hasher(Hasher&&) noexcept;
  ~Hasher();
  void update(std::string_view data);
  // Call once.
  Hash finish();

 private:
  struct State;
  HashAlgorithm algorithm_;
  std::unique_ptr<State> state_;
};

}  // namespace flox::nix
