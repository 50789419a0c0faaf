// The subcommands of flox services, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_services_start(CLI::App& services);
void add_services_stop(CLI::App& services);
void add_services_restart(CLI::App& services);
void add_services_status(CLI::App& services);
void add_services_logs(CLI::App& services);

}  // namespace flox::cli
