// What runs the hooks and services of a container's environment around its command.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "nix/store_path.h"

namespace flox::node {

struct ContainerProfile {
  nix::StorePath path;
  std::filesystem::path files;  // where its files can be read now
  std::string mode;             // run or dev
};

// The words of the container's first process: `command`; around it a shell that sources hook.on-activate and
// becomes the command; or, where the profile has services or hook.on-deactivate, the runtime's flox
// (cli/inside_container.h), which outlives it. Throws Error.
std::vector<std::string> first_process(const ContainerProfile& profile, std::vector<std::string> command,
                                       const std::string& runtime_path);

}  // namespace flox::node
