// Options that several commands have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox::cli {

// -d, --dir: where the environment is.
void add_directory(CLI::App& command, std::string& directory);
// --json: results for programs, on standard output.
CLI::Option* add_json(CLI::App& command, bool& json);

}  // namespace flox::cli
