// Names in a message: 'one', 'two'.
#pragma once

#include <fmt/format.h>

#include <string>
#include <vector>

namespace flox::cli {

inline std::string quoted_list(const std::vector<std::string>& names) {
  return names.empty() ? std::string() : fmt::format("'{}'", fmt::join(names, "', '"));
}

}  // namespace flox::cli
