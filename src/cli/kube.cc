// flox kube: executes flox-kube, a program of its own so that only it carries gRPC.
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/command_line/program.h"
#include "base/os/process.h"
#include "cli/commands.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void execute(std::vector<std::string> arguments) {
  fs::path own = fs::read_symlink("/proc/self/exe");
  std::vector<fs::path> places = {own.parent_path() / "flox-kube",
                                  own.parent_path() / "../libexec/flox/flox-kube"};
  arguments.insert(arguments.begin(), "flox kube");
  const std::vector<char*> argv = exec_pointers(arguments);
  forget_secret_variables();
  for (const auto& place : places) ::execv(place.c_str(), argv.data());
  ::execvp("flox-kube", argv.data());
  throw ExitError(errno == EACCES ? exit_not_executable : exit_command_not_found,
                  Error(ErrorKind::not_found,
                        fmt::format("starting flox-kube: it is neither beside {} nor in PATH", own.string()),
                        "Install it from the same build as flox."));
}

}  // namespace

void add_kube(CLI::App& app) {
  auto* command = app.add_subcommand("kube", "Run Kubernetes manifests on this machine's containerd");
  command->prefix_command();
  command->set_help_flag();  // flox-kube explains itself
  command->callback([command] { execute(command->remaining()); });
}

}  // namespace flox::cli
