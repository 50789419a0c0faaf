// Whether this node's pods could restart while the catalog is away.
#pragma once

#include <string>
#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// What is kept for pods (kept/kept_pods.h), how old it is, and what floxd's page of metrics says of its use;
// an empty page says nothing. Throws Error if what is kept cannot be read.
std::vector<Finding> check_kept(const Config& config, const std::string& metrics);

}  // namespace flox::node
