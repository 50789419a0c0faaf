// What it takes to leave an activation again: a record of its changes, in a variable that goes along.
#pragma once  // Fuzzed by fuzz/undo.cc.

#include <string>
#include <string_view>
#include <vector>

#include "activation/changes.h"
#include "activation/shell.h"

namespace flox::activation {

// JSON; the newest first.
inline constexpr const char* undo_variable = "_FLOX_HOOK_DIFF";

struct Undo {
  std::string name;     // of the environment
  std::string profile;  // store path
  std::string mode;
  std::string keeper;      // its keeper's directory; empty if there is none
  bool subshell = false;   // an interactive shell that was started for it: leaving it is ending the shell
  bool automatic = false;  // activated when the shell entered its directory
  std::string project;     // the directory that has .flox
  Changes back;            // from after it to before it
  env::Variables added;    // of lists: the entries that it has put in front

  bool operator==(const Undo&) const = default;
};

// For an activation that leads from one environment to the other.
Undo undo_of(const env::Variables& before, const env::Variables& after);

std::string to_text(const std::vector<Undo>& layers);
// Throws Error(invalid_input).
std::vector<Undo> parse_undo(std::string_view text);
// What is active in a process with these variables; none without a record. Throws as above.
std::vector<Undo> active_layers(const env::Variables& variables);

// Code for a shell whose variables are `now`: takes back what the activation has set and unset. Of lists of
// search paths the entries that others have added stay.
std::string undo_script(Shell shell, const Undo& undo, const env::Variables& now);

}  // namespace flox::activation
