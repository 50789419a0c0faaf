// The first process of a container that floxd has activated: it has the variables of its environment, and
// hooks and services are still to come.
#pragma once

#include <optional>

#include "cli/inside.h"

namespace flox::cli {

// The environment whose variables this process has, if it has no directory: that of a container. Nothing if
// this is none.
std::optional<Inside> inside_of_container();

// First thing in main(): the exit code, if this process was started so: "flox --flox-inside PROFILE MODE
// COMMAND…" (src/node/floxd). It runs the hook, starts services, then becomes the command, or as a
// container's first process waits for it and stops what it has started.
std::optional<int> run_inside_job(int argc, char** argv);

}  // namespace flox::cli
