// Whether the node's catalog can do its work, and which of its parts is away if not, for the doctor.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// Asks the catalog's /readyz. Nothing if the node has no catalog. Throws Error.
std::vector<Finding> check_catalog(const Config& config);

// Of a page of /readyz, the lines that say that something is away, as one line of safe text; empty if none
// does.
std::string what_is_away(std::string_view page);

}  // namespace flox::node
