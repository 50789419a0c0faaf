// The environments that this user has used on this machine, for flox envs
// (docs/explanation/environments.md).
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "env/environment.h"

namespace flox::cli {

// The environment in that directory, if there is one that can be read.
std::optional<env::Environment> environment_at(const std::filesystem::path& directory);

// Links, one per environment, in $XDG_STATE_HOME/flox/environments or ~/.local/state/flox/environments; their
// names are of the directories they lead to, so that nobody waits for anybody. Nothing if neither variable
// says where.
std::optional<std::filesystem::path> known_environments_directory();

// Writes the environment down unless it is, and removes those that are no environments any more then.
// Failures are logged only: nothing depends on it. In a pod nothing is written.
void remember_environment(const env::Environment& environment);

// It is no longer there. As above.
void forget_environment(const env::Environment& environment);

// Those that are there, by directory; nothing is written. At most 10,000.
std::vector<env::Environment> known_environments();

}  // namespace flox::cli
