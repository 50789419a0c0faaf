// Patterns of names: '*' stands for any characters, none or several; everything else for itself.
#pragma once

#include <string_view>

namespace flox {

// Takes time by the product of the lengths, not more.
bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept;

}  // namespace flox
