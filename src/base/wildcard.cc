#include "base/wildcard.h"

namespace flox {
namespace {

// On a mismatch the last star takes one character more.
template <bool is_path>
bool matches(std::string_view pattern, std::string_view text) noexcept {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos, taken = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = t;
    } else if (p < pattern.size() &&
               (pattern[p] == text[t] || (is_path && pattern[p] == '?' && text[t] != '/'))) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos && !(is_path && text[taken] == '/')) {
      // In a path both have as many '/', or they do not match: a star that cannot grow ends the search.
      p = star + 1;
      t = ++taken;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept {
  return matches<false>(pattern, text);
}

bool matches_path_pattern(std::string_view pattern, std::string_view text) noexcept {
  return matches<true>(pattern, text);
}

}  // namespace flox
