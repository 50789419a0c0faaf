#include "lazy/server/mount_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/open_files.h"
#include "base/settings/units.h"
#include "lazy/control.h"
#include "lazy/fuse_session.h"
#include "lazy/keeper/keeper.h"
#include "lazy/mount_files.h"
#include "lazy/served_paths.h"

namespace flox::lazy {
namespace {

constexpr unsigned request_threads = 2;

// On a thread of its own. The mount outlives what goes wrong here: the keeper starts another server.
void answer(FuseSession& session) {
  try {
    session.serve();
  } catch (const std::exception& error) {
    log::error("{}", message_of(error));
    ::_exit(exit_again);
  }
}

}  // namespace

void serve_mount(const std::string& name, Fd device, bool takes_over) {
  allow_open_files();  // a directory per path
  const MountPlan plan = read_mount_plan(Directory(name));
  ServedPaths paths(Directory(name), plan);
  FuseSession session(std::move(device), paths.mounted());
  if (takes_over) session.take_over();
  if (plan.whole) paths.fetch_all();
  if (plan.further) serve_control(name, paths, [&session] { session.stop(); });
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < request_threads; ++i) threads.emplace_back([&] { answer(session); });
  const PathsStatus status = paths.status({});
  if (takes_over) {
    log::info("serving {} again", plan.directory);
  } else if (plan.further) {
    log::info("serving {}", plan.directory);
  } else {
    fmt::print("mounted {} store paths ({}) at {}; Ctrl-C ends it\n", status.paths, size_text(status.bytes),
               plan.directory);
    std::fflush(stdout);
  }
  threads.clear();  // until the mount ends
  // Whoever is answering floxd has what it uses until the end.
  if (plan.further) ::_exit(0);
}

}  // namespace flox::lazy
