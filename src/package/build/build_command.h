// Runs a manifest's shell command in its environment, with the store visible.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "env/activation.h"
#include "package/build/access_watch.h"
#include "package/build/build_root.h"

namespace flox::package {

struct CommandSetting {
  env::Variables environment;        // all of it
  std::filesystem::path directory;   // to run in
  std::filesystem::path store_root;  // whose store is made visible as /nix/store; empty: none
  std::optional<BuildRoot> root;     // instead of this machine's root; `directory` is in it
  AccessWatch* watch = nullptr;      // of its accesses; one for each run
  bool needs_watch = false;          // it does not run where it cannot be watched
};

// Runs `bash -e -c COMMAND` (bash of the environment's PATH) to its end, both outputs into the descriptor
// `output`. Returns its exit code, 128+signal if a signal ended it. Without a root of its own, host programs
// stay reachable. All that the command started ends with it, and with this process, however that ends. Call
// from a program with one thread. Throws Error if it cannot be started.
int run_build_command(const std::string& command, const CommandSetting& setting, int output);

// Runs `body` in a process of its own that the terminal's signals do not reach, and returns what it returns,
// its exit code. All that it starts ends with it, and with this process. Throws what it throws. `meanwhile`
// returns when the process that it is given has ended; if it throws, so does this, and all ends.
int run_apart(const std::function<int()>& body, const std::function<void(pid_t)>& meanwhile = {});

}  // namespace flox::package
