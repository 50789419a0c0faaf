// The edge of a program: reads its command line, prints its error once, and turns the outcome into an exit
// code.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace flox {

// Exit codes beside 0 and exit_failure, as shells have them.
inline constexpr int exit_usage = 2;             // the command line is wrong
inline constexpr int exit_not_executable = 126;  // a command was found and cannot be executed
inline constexpr int exit_command_not_found = 127;

// An error that ends the program with an exit code of its own. In a chain of contexts it becomes a plain
// Error.
class ExitError : public Error {
 public:
  ExitError(int exit_code, Error error) : Error(std::move(error)), exit_code_(exit_code) {}
  int exit_code() const noexcept { return exit_code_; }

 private:
  int exit_code_;
};

// For what is wrong with the command line alone, whatever the machine is like.
[[noreturn]] void fail_usage(std::string message, std::string advice = {});

// "flox store gc": the command with those that it is part of.
std::string full_name(const CLI::App& command);

// Runs `body`, a whole program, and gives its exit code: the one that `body` returns; ExitError's or
// exit_failure after printing the exception that it threw; exit_failure after saying so if standard output
// could not be written completely (a full disk).
int run_program(const std::function<int()>& body);

// Parses `arguments`, which do not begin with the program's name, runs the callbacks that they call for and
// then `work`. Returns the code of `work` or the one that a callback throws as CLI::RuntimeError, and 0 after
// --help and
// --version; "help COMMAND" is "COMMAND --help". Throws ExitError(exit_usage) for a wrong command line: an
// unknown command or option, with the names that are near, or a value that is missing. The names of `app` and
// of its subcommands are how messages call them.
int run_command_line(CLI::App& app, const std::vector<std::string>& arguments,
                     const std::function<int()>& work = {});
int run_command_line(CLI::App& app, int argc, char** argv, const std::function<int()>& work = {});

}  // namespace flox
