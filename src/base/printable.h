// Untrusted text in a form that is safe in a message, a log or on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flox {

// One line: control characters, escape sequences' first bytes among them, line breaks, what turns the
// direction of writing and bytes that are not UTF-8 become U+FFFD, and what is longer than `limit` characters
// ends in "…".
std::string printable(std::string_view text, size_t limit = 1000);
// The same, but line breaks and tabs stay.
std::string printable_lines(std::string_view text, size_t limit = static_cast<size_t>(-1));

}  // namespace flox
