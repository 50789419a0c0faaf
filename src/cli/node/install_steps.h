// What setting a node up and removing flox from it share.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "node/installer/installation.h"

namespace flox::cli {

struct NodeOptions {
  node::InstallOptions install;
  bool dry_run = false, force = false, if_installed = false;
};
// --dry-run, --target and --containerd-config.
void add_node_options(CLI::App& command, NodeOptions& options);

// Lines on standard output: what was done, and what is left to the reader.
void print_done(const std::string& text);
void print_to_do(const std::string& text);
// On standard error, before another installation is waited for.
void say_who_is_waited_for();

// Restarts containerd (or k3s) where systemd runs it, else says that somebody must. Throws Error.
void restart_containerd(const node::Containerd& containerd, bool systemd);
// Whether ctr is installed and reaches containerd.
bool containerd_answers(const node::Containerd& containerd);

}  // namespace flox::cli
