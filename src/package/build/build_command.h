// Runs a manifest's shell command in its environment, with the store visible.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "env/activation.h"
#include "package/build/build_root.h"

namespace flox::package {

struct CommandSetting {
  env::Variables environment;        // all of it
  std::filesystem::path directory;   // to run in
  std::filesystem::path store_root;  // whose store is made visible as /nix/store; empty: none
  std::optional<BuildRoot> root;     // instead of this machine's root; `directory` is in it
};

// Runs `bash -e -c COMMAND` (bash of the environment's PATH) to its end, both outputs into the descriptor
// `output`. Returns its exit code, 128+signal if a signal ended it. Without a root of its own, host programs
// stay reachable. All that the command started ends with it, and with this process, however that ends. Call
// from a program with one thread. Throws Error if it cannot be started.
int run_build_command(const std::string& command, const CommandSetting& setting, int output);

// Runs `body` in a process of its own that the terminal's signals do not reach, and returns what it returns,
// its exit code. All that it starts ends with it, and with this process. Throws what it throws.
int run_apart(const std::function<int()>& body);

}  // namespace flox::package
