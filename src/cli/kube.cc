// flox kube: executes flox-kube, a program of its own so that only it carries gRPC.
#include "cli/commands.h"
#include "cli/other_program.h"

namespace flox::cli {

void add_kube(CLI::App& app) {
  auto* command = app.add_subcommand("kube", "Run Kubernetes manifests on this machine's containerd");
  command->prefix_command();
  command->set_help_flag();  // flox-kube explains itself
  command->callback([command] { execute_program("flox-kube", "flox kube", command->remaining()); });
}

}  // namespace flox::cli
