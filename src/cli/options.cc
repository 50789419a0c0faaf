#include "cli/options.h"

namespace flox::cli {

void add_directory(CLI::App& command, std::string& directory) {
  command.add_option("-d,--dir", directory, "directory of the environment (default: the current one)");
}

CLI::Option* add_json(CLI::App& command, bool& json) {
  return command.add_flag("--json", json, "print JSON");
}

}  // namespace flox::cli
