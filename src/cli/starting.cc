#include "cli/starting.h"

#include <unistd.h>

#include <cerrno>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/process.h"
#include "cli/first_process.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

[[noreturn]] void fail_to_start(const fs::path& program, int error_number) {
  try {
    fail_errno(error_number, "starting {}", program.string());
  } catch (const Error& error) {
    throw ExitError(error_number == ENOENT ? exit_command_not_found : exit_not_executable, error);
  }
}

[[noreturn]] void fail_to_find(const std::string& command) {
  const bool is_there = command.find('/') != std::string::npos && fs::exists(command);
  if (is_there) fail_to_start(command, EACCES);
  throw ExitError(
      exit_command_not_found,
      Error(ErrorKind::not_found, fmt::format("no command '{}' in the environment or in PATH", command),
            "Run 'flox list' to see what is installed."));
}

[[noreturn]] void execute(const ToStart& what) {
  std::vector<std::string> words = what.argv, entries = exec_entries(what.environment);
  const auto argv = exec_pointers(words), envp = exec_pointers(entries);
  ::execve(what.program.c_str(), argv.data(), envp.data());
  fail_to_start(what.program, errno);
}

}  // namespace

ToStart command_to_start(const Inside& inside, const std::vector<std::string>& command) {
  const auto& variables = inside.activation.environment;
  const auto program = env::find_command(command[0], variables);
  if (!program) fail_to_find(command[0]);
  return {.program = *program, .argv = command, .environment = variables};
}

int start(const Inside& inside, const ToStart& what, std::optional<activation::KeeperClient> keeper) {
  // The first process of a container ends all others when it ends: what the keeper has to do then would not
  // be done.
  const bool waits = ::getpid() == 1 && (inside.has_deactivate_hook || !inside.services.by_name.empty());
  if (!keeper || !waits) {
    keeper.reset();
    execute(what);
  }
  const pid_t pid = keeper->status().keeper;
  keeper.reset();
  return run_as_first([&] { execute(what); }, pid);
}

void start_services(const Inside& inside, activation::KeeperClient& keeper, bool asked_for) {
  const auto running = keeper.status();
  for (const auto& service : running.services)
    if (service.pid || service.status == "Launched") {
      if (asked_for) say("⚠ services of environment '{}' are running already\n", inside.name);
      return;
    }
  keeper.ask(services_request(activation::Request::Kind::start, inside, {}));
}

}  // namespace flox::cli
