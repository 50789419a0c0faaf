// The commands with which a program tells shells and man(1) its command line, of the declarations that its
// --help prints: "completion SHELL" and "manual DIRECTORY", and "complete-words", which the completions ask.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace flox {

struct SelfDescription {
  // Without it the commands work and no help shows them: for programs that have other things to do.
  bool is_shown = true;
  int section = 1;  // of the manual: 1 for commands, 8 for daemons and what runs them
  // Called with the words before they are completed. It answers itself, as complete-words does, if the line
  // is another program's, and does not return then.
  std::function<void(const std::vector<std::string>& words)> elsewhere = {};
};

// Add them to a program of any name; that of its executable is manual_name(app). Each ends the command line:
// what run_command_line() would do after it is not done.
void add_completion(CLI::App& app, const SelfDescription& description);
void add_manual(CLI::App& app, const SelfDescription& description);
// Both.
void add_self_description(CLI::App& app, const SelfDescription& description);

// Whether "manual" is asked for. A program that shows its settings' values as defaults keeps those that they
// are declared with then (base/settings/read.h): pages are the same whoever writes them.
bool asks_for_manual(int argc, char** argv);

// Writes what "manual DIRECTORY" does below `share`, in place of what is there: man/manN/NAME*.N, and the
// completion of each shell. Throws Error.
void write_manual(const CLI::App& app, int section, const std::string& share);

}  // namespace flox
