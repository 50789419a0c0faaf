// Becoming the command or the shell that an activation is for.
#pragma once

#include <string>
#include <vector>

#include "cli/inside.h"

namespace flox::cli {

struct ToStart {
  fs::path program;
  std::vector<std::string> argv;
  env::Variables environment;
};

// The command of the environment or of PATH. Throws ExitError: 127 where there is none, 126 where it cannot
// be executed, as shells have it.
ToStart command_to_start(const Inside& inside, const std::vector<std::string>& command);

// This process becomes it; the first one of a container whose keeper has something to do after it starts it,
// waits, and returns its exit code. Throws ExitError.
int start(const Inside& inside, const ToStart& what, std::optional<activation::KeeperClient> keeper);

// Starts services as this activation has them, unless some run already, which is said if they were
// `asked_for`.
void start_services(const Inside& inside, activation::KeeperClient& keeper, bool asked_for);

}  // namespace flox::cli
