// Activation by itself when a shell enters a directory: what the user has allowed, and code for the shell's
// prompt.
#pragma once  // Fuzzed by fuzz/auto_activation.cc.

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "activation/shell.h"

namespace flox::activation {

enum class Decision { none, allowed, denied, changed };  // changed: allowed, but with another content

// What the user has decided on environments: a file for each directory, in a directory that is this user's
// alone. Whoever writes an environment's manifest decides what runs, so a decision is on its content.
class Decisions {
 public:
  // $XDG_CONFIG_HOME/flox/auto-activate, or ~/.config/flox/auto-activate, which is made with the first
  // decision. Throws Error if neither variable says where.
  static Decisions of_user();

  explicit Decisions(std::filesystem::path directory) : directory_(std::move(directory)) {}

  // `environment` is the directory that holds .flox. Throws Error, also untrusted if why_never has a reason,
  // or if the directory of the decisions is not, or cannot be made, this user's alone.
  void allow(const std::filesystem::path& environment) const;
  void deny(const std::filesystem::path& environment) const;
  Decision on(const std::filesystem::path& environment) const;

 private:
  std::filesystem::path directory_;
};

// Why an environment can never be activated by itself, however it was decided on: the directory, .flox or
// what is read of it is a link, another user's, or can be written to by others. Nothing if it can.
std::optional<std::string> why_never(const std::filesystem::path& environment);

// Directories at or above `directory` that hold an environment, the outermost first.
std::vector<std::filesystem::path> environments_above(const std::filesystem::path& directory);

// What a shell's prompt code keeps: of which directories it was told what, so that nothing is said or tried
// at each prompt. A word without anything that a shell would change.
std::string to_text(const std::set<std::string>& told);
// Throws Error(invalid_input).
std::set<std::string> parse_told(std::string_view text);

// Code that makes the shell call `flox hook-env` before each prompt. Empty for a shell without such a place
// (sh), and tcsh. `flox` is the program's path.
std::string prompt_hook(Shell shell, const std::filesystem::path& flox);
// What such a call prints for it to keep.
std::string kept_by_prompt(Shell shell, const std::set<std::string>& told);

}  // namespace flox::activation
