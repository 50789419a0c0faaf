// Long texts for tests.
#pragma once

#include <string>
#include <string_view>

namespace flox {

inline std::string repeated(std::string_view piece, size_t count) {
  std::string result;
  result.reserve(piece.size() * count);
  for (size_t i = 0; i < count; ++i) result += piece;
  return result;
}

}  // namespace flox
