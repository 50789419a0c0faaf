// Options that Flox's commands have and that mean nothing here.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox::cli {

// Who gives the option ("-t,--trust"), which takes no value, reads why it is none here and what to use in its
// place, as of a wrong command line. The help does not have it.
void refuse_option(CLI::App& command, const std::string& names, const std::string& why,
                   const std::string& advice);

}  // namespace flox::cli
