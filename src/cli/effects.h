// What the commands of flox change, said once for each: its help says it, and a test kills, stops and starves
// all that change something, and watches that the others change nothing (test/cli/every_command.sh).
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

// Adds to the help of each command, of those that have been added before, what it changes. Throws
// std::logic_error if one of them is not in the table of effects.cc, or, if `are_all`, the table has one that
// is not among them: no command of a flox of that kind works, so that nobody forgets it.
void add_effects(CLI::App& app, bool are_all);

}  // namespace flox::cli
