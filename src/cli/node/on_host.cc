// flox node on-host: runs a command on the node.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "base/command_line/program.h"
#include "cli/node/commands.h"
#include "cli/node/enter_node.h"

namespace flox::cli {
namespace {

void run_on_node(const std::vector<std::string>& command) {
  enter_node();
  std::vector<char*> argv;
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
  ::execvp(argv[0], argv.data());
  const int error_number = errno;
  try {
    fail_errno(error_number, "starting {} on the node", command[0]);
  } catch (const Error& error) {
    throw ExitError(error_number == ENOENT ? exit_command_not_found : exit_not_executable, error);
  }
}

}  // namespace

void add_node_on_host(CLI::App& node) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* command = node.add_subcommand("on-host", "Run a command on the node, from a privileged container");
  command->add_option("COMMAND", *words, "command and its arguments, after --")->required();
  command->positionals_at_end();
  command->footer(
      "Exit code: the command's own; 127 if there is no such command, 126 if it cannot be executed.\n\n"
      "Example:\n  flox node on-host -- systemctl status floxd");
  command->callback([words] { run_on_node(*words); });
}

}  // namespace flox::cli
