// Builds that use other builds of the same manifest: ${NAME} in a command is where the build NAME is.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "env/manifest.h"
#include "nix/store_path.h"

namespace flox::package {

using Builds = std::map<std::string, env::BuildDescriptor>;

// The other builds that a build's command names as ${NAME}, sorted.
std::vector<std::string> builds_used_by(const Builds& builds, const std::string& name);

// The named builds and those that they use, those first. Throws Error(invalid_input) naming the builds of a
// circle.
std::vector<std::string> build_order(const Builds& builds, const std::vector<std::string>& names);

// The command with the store path of each of `made` in place of ${NAME}.
std::string with_builds(std::string command, const std::map<std::string, nix::StorePath>& made);

}  // namespace flox::package
