// flox-lazy-keeper: keeps a mount of store paths while the program that serves it dies and is started again.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/command_line/program.h"
#include "base/os/fd.h"
#include "lazy/keeper/keeper.h"

namespace flox::lazy {
namespace {

int run(int argc, char** argv) {
  CLI::App app{"Keep a mount of store paths while the program that serves it is started again",
               "flox-lazy-keeper"};
  app.footer(
      "flox store mount becomes this program. It holds the mount's descriptor and does nothing else: while\n"
      "it lives, readers wait for a server that has died; when it dies, they get an error. SIGTERM and "
      "SIGINT\n"
      "unmount.\n\n"
      "Example:\n  flox-lazy-keeper /mnt /run/files flox-lazy-server /run/files");
  app.set_version_flag("-V,--version", FLOX_VERSION);
  Kept kept;
  int lock = -1;
  app.add_option(
      "--lock", lock,
      "number of an open descriptor that locks FILES, so that nobody takes them for left behind; it "
      "may be standard input");
  app.add_option("DIRECTORY", kept.directory, "empty directory to mount at")->required();
  app.add_option("FILES", kept.files, "directory with the mount's files, which is removed at the end")
      ->required();
  app.add_option("SERVER", kept.server, "program that serves, and its arguments")->required();
  return run_command_line(app, argc, argv, [&] {
    // Open until the end, and no server's, which could outlive it.
    Fd held;
    if (lock >= 0) {
      held.reset(::fcntl(lock, F_DUPFD_CLOEXEC, 3));
      if (!held) fail_usage("--lock is no open descriptor");
      const Fd null = open_file("/dev/null", O_RDWR);
      lock <= STDERR_FILENO ? ::dup2(null.get(), lock) : ::close(lock);
    }
    return keep_mount(kept);
  });
}

}  // namespace
}  // namespace flox::lazy

int main(int argc, char** argv) {
  return flox::run_program([&] { return flox::lazy::run(argc, argv); });
}
