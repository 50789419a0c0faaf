#include "cli/other_program.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/command_line/program.h"
#include "base/os/companion_program.h"
#include "base/os/process.h"

namespace flox::cli {

namespace fs = std::filesystem;

std::string find_program(const std::string& name) { return companion_program(name).value_or(name); }

void execute_program(const std::string& name, const std::string& called, std::vector<std::string> arguments) {
  const std::string program = find_program(name);
  arguments.insert(arguments.begin(), called);
  const std::vector<char*> argv = exec_pointers(arguments);
  forget_secret_variables();
  ::execvp(program.c_str(), argv.data());
  throw ExitError(errno == EACCES ? exit_not_executable : exit_command_not_found,
                  Error(ErrorKind::not_found,
                        fmt::format("starting {}: it is neither beside {} nor in PATH", name,
                                    fs::read_symlink("/proc/self/exe").string()),
                        "Install it from the same build as flox."));
}

}  // namespace flox::cli
