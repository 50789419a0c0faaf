#include "lazy/server/mount_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/open_files.h"
#include "base/settings/units.h"
#include "lazy/fuse_session.h"
#include "lazy/keeper/keeper.h"
#include "lazy/mount_files.h"
#include "lazy/mounted_paths.h"
#include "lazy/sparse_path.h"

namespace flox::lazy {
namespace {

// Of those that bring frames. The others bring what nobody reads, too, when there is nothing else to do.
constexpr unsigned urgent_threads = RemotePaths::at_once / 2, other_threads = RemotePaths::at_once / 2;
constexpr unsigned request_threads = 2;

// All of the path, when nobody waits for anything else. What fails is tried again when somebody reads it.
void fetch_all(SparsePath& path) {
  for (uint32_t frame = 0; frame < path.index().frames.size(); ++frame) path.want_frame(frame, [](int) {});
}

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
  const Directory files(name);
  const MountPlan plan = read_mount_plan(files);
  RemotePaths remote(plan.caches, nix::TrustedKeys(plan.trusted_keys), plan.isolation);
  FrameQueue queue(urgent_threads, other_threads);
  MountedPaths paths;
  std::vector<std::shared_ptr<SparsePath>> all;
  uint64_t bytes = 0;
  for (const nix::StorePath& path : plan.paths) {
    const RemotePath found = read_mounted_path(files, path, remote);
    const auto contents = SparsePath::open(files.subdirectory(path.base_name()), found.index,
                                           queue.source(std::string(path.base_name()), found.places));
    all.push_back(contents);
    paths.add({.name = std::string(path.base_name()),
               .slot = static_cast<uint32_t>(all.size()),
               .tree = std::make_shared<PathTree>(*found.index),
               .contents = contents});
    bytes += found.info.nar_size;
  }
  FuseSession session(std::move(device), paths);
  if (takes_over) session.take_over();
  if (plan.whole)
    for (const auto& path : all) fetch_all(*path);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < request_threads; ++i) threads.emplace_back([&] { answer(session); });
  if (takes_over) {
    log::info("serving {} again", plan.directory);
  } else {
    fmt::print("mounted {} store paths ({}) at {}; Ctrl-C ends it\n", all.size(), size_text(bytes),
               plan.directory);
    std::fflush(stdout);
  }
}

}  // namespace flox::lazy
