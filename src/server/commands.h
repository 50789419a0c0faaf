// The commands of flox-catalog beside serving, one file each. A command that is given replaces `work`, which
// the program then does. The settings and `work` must outlive the parsing and the work.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "server/settings.h"

namespace flox::server {

void add_export_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work);
void add_import_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work);
void add_mirror_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work);
void add_copy_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work);

}  // namespace flox::server
