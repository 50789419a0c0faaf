// Whether what was asked to be prefetched has come.
#pragma once

#include <vector>

#include "node/doctor/doctor.h"

namespace flox::node {

// By the records of prefetching (prefetch/prefetch_record.h) and the settings.
std::vector<Finding> check_prefetch(const Config& config);

}  // namespace flox::node
