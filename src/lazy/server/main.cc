// flox-lazy-server: answers for a mount of store paths. flox-lazy-keeper starts it, and again when it dies.
#include <fcntl.h>

#include <CLI/CLI.hpp>

#include "base/command_line/program.h"
#include "lazy/frames_job.h"
#include "lazy/server/mount_server.h"

namespace flox::lazy {
namespace {

int run(int argc, char** argv) {
  CLI::App app{"Answer for a mount of store paths; flox-lazy-keeper starts it", "flox-lazy-server"};
  app.footer("Example:\n  flox-lazy-keeper /mnt /run/files flox-lazy-server /run/files");
  app.set_version_flag("-V,--version", FLOX_VERSION);
  std::string files;
  int device = -1;
  bool takes_over = false;
  app.add_option("FILES", files, "directory with what is known of the paths, and what has come of them")
      ->required();
  app.add_option("--device", device, "number of the mount's open descriptor")->required();
  app.add_flag("--take-over", takes_over, "answer what an earlier process was asked and did not answer");
  return run_command_line(app, argc, argv, [&] {
    // No process that is started here gets it: while it is open, readers wait.
    if (::fcntl(device, F_SETFD, FD_CLOEXEC) != 0) fail_usage("--device is no open descriptor");
    serve_mount(files, Fd(device), takes_over);
    return 0;
  });
}

}  // namespace
}  // namespace flox::lazy

int main(int argc, char** argv) {
  flox::lazy::add_frames_job();
  if (const auto code = flox::run_confined_job(argc, argv)) return *code;
  return flox::run_program([&] { return flox::lazy::run(argc, argv); });
}
