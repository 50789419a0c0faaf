// SPDX licence expressions (SPDX 2.3, annex D; docs/formats/package.md) of the licences that packages here
// are known to have.
#pragma once  // Fuzzed by fuzz/package_file.cc.

#include <string>
#include <string_view>

namespace flox::trust {

// Bytes; longer ones are no expression.
inline constexpr size_t longest_license = 4096;

// Whether the text is an expression of identifiers that this project knows, as in "MIT" or
// "GPL-2.0-or-later WITH Bison-exception-2.2 OR (MIT AND Zlib)". An identifier that SPDX has and we do not
// know makes it none: what cannot be checked is not claimed.
bool is_license_expression(std::string_view text) noexcept;
// Whether SPDX has a licence of that identifier, as far as we know; the spelling counts.
bool is_license_identifier(std::string_view text) noexcept;
// The same whatever the case of its letters, as SPDX spells it; empty if there is none.
std::string_view find_license_identifier(std::string_view text) noexcept;

}  // namespace flox::trust
