// Directories in tests.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace flox {

// The names in a directory, sorted.
inline std::vector<std::string> names_in(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

}  // namespace flox
