// Checks of a store that this node shares with others, for the doctor.
#pragma once

#include <string>
#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// `metrics`: floxd's page; empty if it does not answer. Throws Error.
std::vector<Finding> check_shared_store(const Config& config, const std::string& metrics);

}  // namespace flox::node
