// The keeper of an environment: a process of this user's that lives as long as anybody is inside. It knows
// which processes are, so that a hook runs once; it runs services; and when the last one has left, it stops
// them and runs hook.on-deactivate. One per environment, machine and user.
//
// In its directory, which is this user's alone: `lock`, which it holds until its services have stopped; and
// `socket`, where it takes requests (messages.h).
#pragma once

#include <filesystem>
#include <optional>

#include "base/os/directory.h"
#include "base/os/fd.h"

namespace flox::activation {

namespace fs = std::filesystem;

// The words by which this program is started as a keeper. `lock`, `listener` and `directory` are descriptors
// that it takes over; logs are written to `logs`.
std::vector<std::string> keeper_words(int lock, int listener, int directory, const fs::path& logs);

// First thing in main(): the exit code, if this process was started as a keeper.
std::optional<int> run_keeper_job(int argc, char** argv);

}  // namespace flox::activation
