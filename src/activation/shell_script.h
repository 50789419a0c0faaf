// Code for the user's shell, by which it becomes part of an activation.
#pragma once

#include <filesystem>
#include <string>

#include "activation/shell.h"
#include "env/activation.h"

namespace flox::activation {

struct ShellScript {
  Shell shell = Shell::bash;
  fs::path profile;       // whose [profile] scripts are sourced
  env::Variables before;  // of the process that activates
  env::Variables after;
};

// For eval "$(flox activate)": sets and unsets what differs, then sources profile.common and the shell's own.
// Nothing in it ends the shell.
std::string in_place(const ShellScript& script);

// For a shell that is started with `after` and has read the user's own files: takes back what these have
// changed of the activation's variables, and puts the activation's entries in front of their PATH and
// MANPATH; then sources as above.
std::string after_own_files(const ShellScript& script);

// The [profile] scripts alone, and those of [profile] deactivate.
std::string profile_scripts(Shell shell, const fs::path& profile);
std::string deactivate_scripts(Shell shell, const fs::path& profile);

}  // namespace flox::activation
