// How environments of a catalog are named: OWNER/NAME, or OWNER/NAME:GENERATION.
#pragma once  // Fuzzed by fuzz/environment_name.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flox::catalog {

struct EnvironmentName {
  std::string owner, name;
  std::optional<int64_t> generation;  // none: the latest
  std::string to_string() const;
};

// Is it one, as opposed to a package's name?
inline bool is_environment_name(std::string_view text) { return text.find('/') != std::string_view::npos; }
// Throws Error(invalid_input), saying what is wrong.
EnvironmentName parse_environment_name(std::string_view text);
// Both are [A-Za-z0-9._-]{1,64}, and begin with a letter or a digit. Throws Error(invalid_input).
void check_environment_name(std::string_view owner, std::string_view name);

}  // namespace flox::catalog
