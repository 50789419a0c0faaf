// Runs a manifest's shell command in its environment, with the store visible.
#pragma once

#include <filesystem>
#include <string>

#include "env/activation.h"

namespace flox::package {

struct CommandSetting {
  env::Variables environment;        // all of it
  std::filesystem::path directory;   // to run in
  std::filesystem::path store_root;  // whose store is made visible as /nix/store; empty: none
};

// Runs `bash -e -c COMMAND` (bash of the environment's PATH) to its end, both outputs into the file `output`.
// Returns its exit code, 128+signal if a signal ended it. Host programs stay reachable. Call from a program
// with one thread. Throws Error if it cannot be started.
int run_build_command(const std::string& command, const CommandSetting& setting,
                      const std::filesystem::path& output);

}  // namespace flox::package
