// SHA-256 (FIPS 180-4) of streams, through OpenSSL, which uses SHA-NI where the CPU has it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace flox {

// The 32 raw bytes.
using Sha256Digest = std::array<char, 32>;

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view data);
  // The digest of all that was given. Call once.
  Sha256Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256Digest sha256(std::string_view data);
inline std::string_view bytes_of(const Sha256Digest& digest) { return {digest.data(), digest.size()}; }
// RFC 2104 HMAC over SHA-256.
Sha256Digest hmac_sha256(std::string_view key, std::string_view data);

}  // namespace flox
