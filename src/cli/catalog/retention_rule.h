// An owner's rule of retention: where the catalog has it, and what it says.
#pragma once  // Not fuzzed: of the catalog's answers, which base/data/json.h has read.

#include <string>

#include "cli/catalog_options.h"

namespace flox::cli {

// Of the catalog itself for the owner "".
std::string retention_path(const std::string& owner);
// "acme keeps the newest 3 versions, all generations (the catalog's rule)": of the catalog's answer at that
// path. Throws Error(invalid_input).
std::string rule_in_words(const std::string& owner, const nlohmann::json& answer);

}  // namespace flox::cli
