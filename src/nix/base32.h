// Nix's base-32 (docs/formats/store-path.md): digits 0-9 a-z without e, o, t, u; least significant bits
// last.
#pragma once  // Fuzzed by fuzz/base32.cc.

#include <cstddef>
#include <string>
#include <string_view>

namespace flox::nix {

// Whether the character is one of the 32 digits.
bool is_base32(char c) noexcept;
// Characters that so many bytes have.
constexpr size_t base32_length(size_t bytes) noexcept { return (bytes * 8 + 4) / 5; }

std::string to_base32(std::string_view bytes);
// Strict: refuses foreign characters, a length that `bytes` bytes cannot have, and set overflow bits.
// Throws Error(invalid_input).
std::string from_base32(std::string_view text, size_t bytes);

}  // namespace flox::nix
