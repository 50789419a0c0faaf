#include "nix/cache_info.h"

#include <algorithm>
#include <charconv>

#include "base/error.h"

namespace flox::nix {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view space = " \t\r";
  const size_t first = text.find_first_not_of(space);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(space) + 1 - first);
}

// What follows the digits does not count, as for Nix, which reads it by std::stoi.
int parse_priority(std::string_view value) {
  std::string_view digits = value;
  if (digits.starts_with('+') && !digits.starts_with("+-")) digits.remove_prefix(1);
  int priority = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), priority).ec != std::errc())
    fail(ErrorKind::invalid_input, "Priority: '{}' is not a number", value);
  return priority;
}

}  // namespace

CacheInfo CacheInfo::parse(std::string_view text) {
  CacheInfo info;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, colon);
    const std::string_view value = trim(line.substr(colon + 1));
    if (key == "StoreDir") info.store_directory = value;
    if (key == "WantMassQuery") info.want_mass_query = value == "1";
    if (key == "Priority") info.priority = parse_priority(value);
  }
  return info;
}

std::string CacheInfo::to_string() const {
  return fmt::format("StoreDir: {}\nWantMassQuery: {}\nPriority: {}\n", store_directory,
                     want_mass_query ? 1 : 0, priority);
}

}  // namespace flox::nix
