// What a command asks the person at the terminal.
#pragma once

#include <string>

namespace flox::cli {

// Whether somebody is there: standard input and error are terminals.
bool can_ask();
// "QUESTION [y/N] " on standard error; true for y or yes.
bool says_yes(const std::string& question);

}  // namespace flox::cli
