// Options that Flox's commands have and that mean nothing here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox::cli {

enum class Takes { nothing, value };

// Who gives the option ("-t,--trust") reads why it is none here and what to use in its place, as of a wrong
// command line. The help does not have it.
void refuse_option(CLI::App& command, const std::string& names, Takes takes, const std::string& why,
                   const std::string& advice);

// -r of commands that change an environment: Flox changes the one of its hub, here it is published again.
void refuse_reference(CLI::App& command);

}  // namespace flox::cli
