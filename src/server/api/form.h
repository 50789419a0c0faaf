// Bodies of the form application/x-www-form-urlencoded, as OAuth 2.0 has its requests.
#pragma once  // Fuzzed by fuzz/form.cc.

#include <map>
#include <string>
#include <string_view>

namespace flox::server {

// At most 32 members. Throws Error(invalid_input) for a bad escape, control characters, and a name that is
// there twice.
std::map<std::string, std::string> parse_form(std::string_view text);

}  // namespace flox::server
