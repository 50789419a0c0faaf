// Whether pods of other runtimes get the environments that they name (nri_socket).
#pragma once

#include <string_view>
#include <vector>

#include "node/doctor/doctor.h"
#include "node/floxd/config.h"

namespace flox::node {

// `metrics` is floxd's page of metrics; empty if it does not answer. Nothing without an nri_socket.
std::vector<Finding> check_nri(const Config& config, const DoctorOptions& options, std::string_view metrics);

}  // namespace flox::node
