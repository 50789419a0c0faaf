// A to Z and a to z as one, whatever the locale: header fields (RFC 9110, section 5.1), hosts, licences.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace flox {

constexpr char lower_case(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower_case(c);
  return result;
}

constexpr bool is_same_in_any_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, [](char x, char y) { return lower_case(x) == lower_case(y); });
}

}  // namespace flox
