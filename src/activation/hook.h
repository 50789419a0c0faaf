// hook.on-activate, as Flox has it: sourced by a bash of its own, whose environment afterwards is the
// activation's.
#pragma once  // Not fuzzed: what is read is the environment of a process of this user's.

#include <filesystem>
#include <optional>

#include "env/activation.h"

namespace flox::activation {

namespace fs = std::filesystem;

// Sources the hook in bash, or in sh where PATH has no bash, and gives the environment that it leaves: what
// it exports and unsets counts, its working directory, functions and options do not. Its standard output goes
// to standard error. The status of its last command counts for nothing; "set -e" in it holds. Files that it
// makes are for this user alone unless it says otherwise (umask 077).
//
// Throws Error(invalid_input) if it ends the shell: by a failing command under "set -e", by exit, or by exec.
env::Variables run_hook(const fs::path& hook, const env::Variables& environment);

// First thing in main(): the exit code, if this process was started to say what environment a hook has left.
std::optional<int> run_environment_job(int argc, char** argv);

}  // namespace flox::activation
