// Checks of what this node shares with others, for the doctor.
#pragma once

#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// `metrics`: floxd's page; empty if it does not answer. Throws Error.
std::vector<Finding> check_peers(const Config& config, const std::string& metrics);

}  // namespace flox::node
