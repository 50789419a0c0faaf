// Base64 for URLs (RFC 4648, section 5), without padding, as JSON Web Tokens have it.
#pragma once  // Fuzzed by fuzz/jwt.cc.

#include <string>
#include <string_view>

namespace flox {

std::string to_base64url(std::string_view bytes);
// Throws Error(invalid_input): padding, white space and what no encoder writes are refused, too.
std::string from_base64url(std::string_view text);

}  // namespace flox
