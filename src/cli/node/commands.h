// The subcommands of flox node, one file each.
#pragma once

#include <CLI/CLI.hpp>

namespace flox::cli {

void add_node_install(CLI::App& node);
void add_node_uninstall(CLI::App& node);
void add_node_doctor(CLI::App& node);
void add_node_status(CLI::App& node);
void add_node_starts(CLI::App& node);
void add_node_profile(CLI::App& node);
void add_node_prefetch(CLI::App& node);
void add_node_label(CLI::App& node);
void add_node_runtime(CLI::App& node);
void add_node_images(CLI::App& node);
void add_node_bundle(CLI::App& node);
void add_node_unpack(CLI::App& node);
void add_node_on_host(CLI::App& node);

}  // namespace flox::cli
