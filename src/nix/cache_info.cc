#include "nix/cache_info.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace flox::nix {

CacheInfo CacheInfo::parse(std::string_view text) {
  CacheInfo info;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      fail(ErrorKind::invalid_input, "nix-cache-info: the line '{}' has no colon", line);
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    const std::string_view key = line.substr(0, colon);
    if (key == "StoreDir") info.store_directory = value;
    if (key == "WantMassQuery") info.want_mass_query = value == "1";
    if (key == "Priority") {
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), info.priority);
      if (error != std::errc() || end != value.data() + value.size())
        fail(ErrorKind::invalid_input, "nix-cache-info: Priority: '{}' is not a number", value);
    }
  }
  return info;
}

std::string CacheInfo::to_string() const {
  return fmt::format("StoreDir: {}\nWantMassQuery: {}\nPriority: {}\n", store_directory,
                     want_mass_query ? 1 : 0, priority);
}

}  // namespace flox::nix
