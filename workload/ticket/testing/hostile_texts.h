// For tests: texts that are made to hurt whoever reads them.
#pragma once

#include <string>
#include <vector>

namespace ticket {

inline std::string repeated(std::string_view piece, size_t times) {
  std::string text;
  text.reserve(piece.size() * times);
  for (size_t i = 0; i < times; ++i) text += piece;
  return text;
}

// JSON values nested this deep: a list, an object, and one that is never closed.
inline std::vector<std::string> nested_values(size_t levels) {
  return {repeated("[", levels) + repeated("]", levels),
          repeated("{\"a\":", levels) + "1" + repeated("}", levels), repeated("[", levels)};
}

}  // namespace ticket
