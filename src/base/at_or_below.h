// Paths and the directories that they are in, by their text.
#pragma once

#include <string_view>

namespace flox {

// Whether a path is that of the directory or of something in it. Both are absolute and end without '/', but
// for the root directory.
constexpr bool is_at_or_below(std::string_view path, std::string_view directory) noexcept {
  if (directory == "/") return true;
  return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

}  // namespace flox
