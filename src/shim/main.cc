// containerd-shim-flox-v1: see commands.h for what it does, docs/explanation/shim.md and docs/architecture.md
// for why.
#include <google/protobuf/stubs/logging.h>
#include <unistd.h>

#include "base/error.h"
#include "base/os/fd.h"
#include "shim/launch/commands.h"

int main(int argc, char** argv) {
  using namespace flox;
  // containerd takes whatever `start` prints, on stderr too, for a part of its answer.
  google::protobuf::SetLogHandler(nullptr);
  try {
    shim::CommandLine line = shim::CommandLine::parse({argv + 1, argv + argc});
    if (line.help)
      write_all(STDOUT_FILENO, shim::CommandLine::usage());
    else if (line.version)
      write_all(STDOUT_FILENO, "containerd-shim-flox-v1:\n  Version:  " FLOX_VERSION "\n");
    else if (line.info)
      shim::print_info();
    else if (line.action == "start")
      shim::start_shim(line);
    else if (line.action == "delete")
      shim::delete_leftovers(line);
    else
      shim::serve_tasks(line);
    return 0;
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
