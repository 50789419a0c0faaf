// Whether the node's catalog can do its work, for the doctor.
#pragma once

#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// Nothing if the node has no catalog. Throws Error.
std::vector<Finding> check_catalog(const Config& config);

}  // namespace flox::node
