// Checks of the node's policy and its audit log, for the doctor.
#pragma once

#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// `metrics`: floxd's page; empty if it does not answer. Throws Error.
std::vector<Finding> check_policy(const Config& config, const std::string& metrics);

// The value of a metric without labels in Prometheus' text format; 0 if it is not there.
double metric_in(std::string_view page, std::string_view name);

}  // namespace flox::node
