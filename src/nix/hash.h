// Hashes in the algorithms and text forms of Nix: hexadecimal, base-32, base64 with a prefix "ALGORITHM:",
// and SRI "ALGORITHM-base64".
#pragma once  // Fuzzed by fuzz/hash.cc.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flox::nix {

enum class HashAlgorithm { md5, sha1, sha256, sha512 };
std::string_view to_string(HashAlgorithm algorithm) noexcept;  // "sha256"
// The algorithm of this name; nothing for one that we do not know, as Nix's "blake3".
std::optional<HashAlgorithm> find_hash_algorithm(std::string_view name) noexcept;

struct Hash {
  HashAlgorithm algorithm = HashAlgorithm::sha256;
  std::string bytes;

  // Any of the forms; the digits' number tells which. Throws Error(invalid_input).
  static Hash parse(std::string_view text);
  std::string to_hex() const;   // the digits only
  std::string to_text() const;  // "sha256:<base-32>"
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
