// What all metadata begins with, to and from JSON.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <nlohmann/json.hpp>
#include <string_view>

#include "trust/members.h"
#include "trust/metadata.h"

namespace flox::trust {

nlohmann::json header_json(const Header& header, std::string_view type);
// Takes the members of the header. Throws Error(invalid_input).
void read_header(Members& members, std::string_view type, Header& header);

}  // namespace flox::trust
