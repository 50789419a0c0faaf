// The user's shell: which one it is, and starting it inside an activation.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "activation/shell_script.h"

namespace flox::activation {

struct UserShell {
  Shell kind = Shell::bash;
  fs::path program;
};

// bash, else sh, of PATH: what runs hooks and services. Throws Error(not_found).
UserShell bash_or_sh(const env::Variables& environment);

// The shell to start: $FLOX_SHELL, else $SHELL, if it is one that we know and is there; else bash_or_sh().
UserShell shell_to_start(const env::Variables& environment);

// The shell whose code this process prints: $FLOX_SHELL, else the program of the parent process, else $SHELL,
// else bash.
Shell shell_of_caller(const env::Variables& environment);

// Words that start the shell for one command, inside the activation: [profile] scripts, then the command.
std::vector<std::string> to_run(const UserShell& shell, const fs::path& profile, const std::string& command);

// How an interactive shell is started: it reads the user's own files, then `script`'s, and says in its prompt
// what is active. Files for it are in a directory that it removes itself once it has read them.
struct Interactive {
  std::vector<std::string> argv;
  env::Variables environment;
};
Interactive to_interact(const UserShell& shell, const ShellScript& script);

}  // namespace flox::activation
