// The subcommands of flox node that have files of their own.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_node_install(CLI::App& node);
void add_node_uninstall(CLI::App& node);
void add_node_bundle(CLI::App& node);  // bundle, unpack, on-host
void add_node_doctor(CLI::App& node);
void add_node_label(CLI::App& node);

}  // namespace flox::cli
