// The configured catalog, as the commands that read from it use it.
#pragma once

#include <vector>

#include "catalog/client.h"

namespace flox::cli {

// Without the token, which reading packages does not need. Errors come with the first request.
catalog::Client configured_catalog();
// With the configured token, for environments. Throws Error if its file cannot be used.
catalog::Client configured_catalog_with_token();

// A JSON list on standard output.
void print_json(const std::vector<catalog::PackageBuild>& builds);

}  // namespace flox::cli
