// Being the first process of a container, when something is left to do after the command.
#pragma once

#include <sys/types.h>

#include <functional>

namespace flox::cli {

// Runs `command` in a child, which must become another program or throw; passes signals on to it and reaps
// what others leave. Once it has ended, tells process `keeper` to end and waits until it has. Gives the
// child's exit code, 128+signal. Throws Error.
int run_as_first(const std::function<void()>& command, pid_t keeper);

}  // namespace flox::cli
