// How a shell that evaluates what flox has printed becomes one of those inside an environment, and leaves it
// again.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "activation/keeper/messages.h"
#include "activation/shell.h"

namespace flox::activation {

// Code for the shell that tells the keeper in `directory` that it is in `key`, or that it leaves. Its status
// counts for nothing.
std::string attaching(Shell shell, const fs::path& directory, const StartKey& key);
std::string detaching(Shell shell, const fs::path& directory, const StartKey& key);

// First thing in main(): the exit code, if this process was started by such code.
std::optional<int> run_attach_job(int argc, char** argv);

}  // namespace flox::activation
