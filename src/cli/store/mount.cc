// flox store mount: shows store paths of caches as files that come when they are read.
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/os/open_files.h"
#include "base/settings/units.h"
#include "cli/store/commands.h"
#include "lazy/fuse_session.h"
#include "lazy/mounted_paths.h"
#include "lazy/remote_paths.h"
#include "lazy/sparse_path.h"
#include "store/local/parallel.h"

namespace flox::cli {
namespace {

namespace fs = std::filesystem;

struct StoreMountOptions {
  std::string directory;
  std::vector<std::string> paths;
  std::vector<std::string> caches;
  std::vector<std::string> trusted_keys;
  std::string files;
  bool no_closure = false;
  bool whole = false;
};

// Of those that bring frames. The others bring what nobody reads, too, when there is nothing else to do.
constexpr unsigned urgent_threads = lazy::RemotePaths::at_once / 2,
                   other_threads = lazy::RemotePaths::at_once / 2;
constexpr unsigned request_threads = 2;

// Looks for the paths, several at a time.
std::vector<lazy::RemotePath> find(lazy::RemotePaths& remote, const std::vector<nix::StorePath>& paths) {
  std::vector<std::optional<lazy::RemotePath>> found(paths.size());
  std::atomic<size_t> next = 0;
  store::run_workers(
      std::min<unsigned>(lazy::RemotePaths::at_once, paths.size()),
      [&](unsigned) {
        for (size_t i = next++; i < paths.size(); i = next++) found[i] = remote.find(paths[i]);
      },
      [&] { next = paths.size(); });
  std::vector<lazy::RemotePath> result;
  for (auto& path : found) result.push_back(std::move(*path));
  return result;
}

// The paths, and what they refer to. Each is looked for once.
std::vector<lazy::RemotePath> find_all(lazy::RemotePaths& remote, const nix::StorePathSet& wanted,
                                       bool closure) {
  std::vector<lazy::RemotePath> all;
  nix::StorePathSet seen = wanted;
  std::vector<nix::StorePath> waiting(wanted.begin(), wanted.end());
  while (!waiting.empty()) {
    std::vector<nix::StorePath> next;
    for (lazy::RemotePath& path : find(remote, waiting)) {
      for (const nix::StorePath& reference : path.info.references)
        if (closure && seen.insert(reference).second) next.push_back(reference);
      all.push_back(std::move(path));
    }
    waiting = std::move(next);
  }
  return all;
}

// Detached when it goes, whatever is still open in it.
class Mount {
 public:
  explicit Mount(const std::string& directory)
      : directory_(directory), device_(lazy::mount_fuse(directory)) {}
  ~Mount() { umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  Fd take_device() noexcept { return std::move(device_); }

 private:
  const std::string directory_;
  Fd device_;
};

// All of the path, when nobody waits for anything else. What fails is tried again when somebody reads it.
void fetch_all(lazy::SparsePath& path) {
  for (uint32_t frame = 0; frame < path.index().frames.size(); ++frame) path.want_frame(frame, [](int) {});
}

void mount_paths(const StoreMountOptions& options) {
  const Config config = Config::load();
  nix::TrustedKeys keys(config.trusted_keys);
  for (const std::string& key : options.trusted_keys) keys.add(nix::PublicKey::parse(key));
  const nix::StorePathSet wanted = to_store_paths(options.paths);
  // Before there are threads, so that they do not get the signals.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  allow_open_files();  // a directory per path
  lazy::RemotePaths remote(caches_of(config, options.caches), keys, config.isolation);
  const std::vector<lazy::RemotePath> found = find_all(remote, wanted, !options.no_closure);
  const TempDir files("flox-mount-", options.files);
  const Directory files_directory(files.path());
  lazy::FrameQueue queue(urgent_threads, other_threads);
  lazy::MountedPaths paths;
  std::vector<std::shared_ptr<lazy::SparsePath>> all;
  uint64_t bytes = 0;
  for (const lazy::RemotePath& path : found) {
    const std::string& name = path.info.path.base_name();
    const auto contents = lazy::SparsePath::open(files_directory.make_directory(name, 0700), path.index,
                                                 queue.source(name, path.places));
    paths.add({.name = name,
               .slot = static_cast<uint32_t>(&path - found.data() + 1),
               .tree = std::make_shared<lazy::PathTree>(*path.index),
               .contents = contents});
    all.push_back(contents);
    bytes += path.info.nar_size;
  }
  if (options.whole)
    for (const auto& path : all) fetch_all(*path);
  Mount mounted(options.directory);
  lazy::FuseSession session(mounted.take_device(), paths);
  std::atomic<bool> failed = false;
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < request_threads; ++i)
    threads.emplace_back([&] {
      try {
        session.serve();
      } catch (const std::exception& error) {
        print_error(error);
        failed = true;
        kill(getpid(), SIGTERM);  // whoever waits below unmounts
      }
    });
  fmt::print("mounted {} store paths ({}) at {}; Ctrl-C ends it\n", found.size(), size_text(bytes),
             options.directory);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  session.stop();
  if (failed) throw CLI::RuntimeError(exit_failure);
}

}  // namespace

void add_store_mount(CLI::App& store) {
  auto options = std::make_shared<StoreMountOptions>();
  auto* command = store.add_subcommand(
      "mount", "Show store paths of binary caches as files that come when they are read");
  command
      ->add_option("DIRECTORY", options->directory,
                   "empty directory to mount them at, as DIRECTORY/HASH-NAME")
      ->required();
  add_paths(*command, options->paths)->required();
  command
      ->add_option(
          "--cache", options->caches,
          "URL of a binary cache to use in place of the configured ones; repeatable, asked in this order")
      ->allow_extra_args(false);
  command
      ->add_option("--trusted-key", options->trusted_keys,
                   "public key to trust in addition to the configured ones; repeatable")
      ->allow_extra_args(false);
  command->add_option("--files", options->files,
                      "existing directory for the files that came (default: TMPDIR or /tmp)");
  command->add_flag("--no-closure", options->no_closure,
                    "only these paths, without those that they refer to");
  command->add_flag("--whole", options->whole,
                    "also fetch what nobody reads, when nothing else is to be done");
  command->footer(
      "Names and sizes are there at once; each part of a file is fetched when it is first read, and compared "
      "with the\n"
      "index that the publisher signed before anything sees it. The caches need indexes ('flox publish' "
      "writes them,\n"
      "'flox store index' adds them). Needs root. SIGINT and SIGTERM unmount and remove what came.\n\n"
      "Example:\n  flox store mount /mnt --cache https://cache.example.org /nix/store/…-web");
  command->callback([options] { mount_paths(*options); });
}

}  // namespace flox::cli
