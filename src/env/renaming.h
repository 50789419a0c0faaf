// The name of an environment, in .flox/env.json.
#pragma once  // Not fuzzed: env.json is read by base/data/json.h.

#include <string_view>

#include "env/environment.h"

namespace flox::env {

// Throws Error(invalid_input): it becomes part of the names of links in .flox/run.
void check_name_of_environment(std::string_view name);

// Gives the environment another name, under its lock, and leaves the rest as it is: whoever is inside has the
// profile's link of the old name, which stays. Throws Error: invalid_input for what cannot be a name,
// conflict if the catalog has the environment, by the name that it has there.
void rename_environment(const Environment& environment, std::string_view name, const ChangeContext& context);

}  // namespace flox::env
