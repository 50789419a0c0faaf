// The subcommands of `flox kube`, one file each. Each function adds its command to the program; the command's
// callback prints results on stdout and remarks on stderr, and throws Error. `common` must live as long as
// the program.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "kube/commands/session.h"

namespace flox::kube {

void add_play(CLI::App& app, const CommonOptions& common);
void add_down(CLI::App& app, const CommonOptions& common);
void add_ps(CLI::App& app, const CommonOptions& common);
void add_logs(CLI::App& app, const CommonOptions& common);
// `command` is what stands behind "--"; its exit code goes to `exit_code`.
void add_exec(CLI::App& app, const CommonOptions& common, std::vector<std::string> command, int& exit_code);
void add_describe(CLI::App& app, const CommonOptions& common);
void add_set(CLI::App& app, const CommonOptions& common);
void add_scale(CLI::App& app, const CommonOptions& common);
void add_supervise(CLI::App& app, const CommonOptions& common);

}  // namespace flox::kube
