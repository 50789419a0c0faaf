// Patterns of names.
#pragma once

#include <string_view>

namespace flox {

// Whether the whole text is as the pattern says. Both take time by the product of the lengths, not more.
//
// '*' stands for any characters, none or several; everything else for itself.
bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept;
// '*' stands for any characters but '/', none or several, and '?' for one that is not '/'.
bool matches_path_pattern(std::string_view pattern, std::string_view text) noexcept;

}  // namespace flox
