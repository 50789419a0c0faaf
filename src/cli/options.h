// Options that several commands have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace flox::cli {

// Which environment a command is about.
struct EnvironmentChoice {
  std::string directory = ".";
  std::string reference;  // OWNER/NAME of the catalog; empty: that of the directory
};

// -d, --dir: where the environment is. Shells complete directories, and those of known environments.
void add_directory(CLI::App& command, std::string& directory);
// -r, --reference: an environment of the catalog, in any generation, in place of that of --dir, which the
// command has.
void add_reference(CLI::App& command, std::string& reference);
// The same for a command that changes the environment: of the catalog its latest generation is followed.
CLI::Option* add_changed_reference(CLI::App& command, std::string& reference);
// What shells offer for an option that names an environment's directory, one of the catalog (OWNER/NAME, of
// those that were here before), and for arguments that name installed packages, or builds, of the environment
// of --dir.
void offer_environments(const CLI::Option* option);
void offer_references(const CLI::Option* option);
void offer_installed(const CLI::Option* option);
void offer_builds(const CLI::Option* option);
// --json: results for programs, on standard output.
CLI::Option* add_json(CLI::App& command, bool& json);

}  // namespace flox::cli
