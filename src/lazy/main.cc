// flox-lazy-keeper: keeps the mount of store paths that are not whole yet while floxd is started again
// (keeper.h).
#include <sys/signalfd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <string>

#include "base/command_line/program.h"
#include "base/error.h"
#include "lazy/keeper.h"

namespace {

using namespace flox;

// Readable once SIGTERM or SIGINT came.
Fd stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  Fd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd) fail_errno(errno, "waiting for signals");
  return fd;
}

int main_of(int argc, char** argv) {
  CLI::App app("Keep the mount of lazily started store paths while floxd is started again",
               "flox-lazy-keeper");
  app.set_version_flag("--version", "flox-lazy-keeper " FLOX_VERSION);
  std::string directory, socket;
  app.add_option("--mount", directory, "Where to mount the file system")->required();
  app.add_option("--socket", socket, "Where floxd asks for it")->required();
  return run_command_line(app, argc, argv, [&] {
    const Fd stop = stop_signals();
    lazy::keep_mount(directory, socket, stop.get());
    return 0;
  });
}

}  // namespace

int main(int argc, char** argv) {
  return flox::run_program([&] { return main_of(argc, argv); });
}
