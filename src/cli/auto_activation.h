// The subcommands of flox activate that are about activation when a shell enters a directory.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_activate_allow(CLI::App& activate);
void add_activate_deny(CLI::App& activate);
void add_activate_hook(CLI::App& activate);

}  // namespace flox::cli
