// Streams of bytes, and their text encodings (hexadecimal, base64).
#pragma once  // Fuzzed by fuzz/base32.cc.

#include <functional>
#include <string>
#include <string_view>

namespace flox {

// Takes the next piece of a stream; pieces are never empty. May throw to stop the stream.
using ByteSink = std::function<void(std::string_view)>;

std::string to_hex(std::string_view bytes);      // lower case
std::string from_hex(std::string_view text);     // throws Error(invalid_input)
std::string to_base64(std::string_view bytes);   // RFC 4648 with padding
std::string from_base64(std::string_view text);  // throws Error(invalid_input)

}  // namespace flox
