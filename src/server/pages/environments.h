// Lists of environments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/pages/context.h"
#include "server/pages/parts.h"

namespace flox::server {

// Those that the caller may see; of the owner, if one is given.
std::vector<EnvironmentSummary> visible_environments(const PagesContext& pages, const Call& call,
                                                     const std::string& owner);
Html environments_table(const PagesContext& pages, std::string_view caption,
                        const std::vector<EnvironmentSummary>& environments, const Slice& slice);

}  // namespace flox::server
