// flox store mount: shows store paths of caches as files that come when they are read.
#include <sys/mount.h>

#include <csignal>
#include <deque>
#include <memory>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "base/settings/units.h"
#include "cli/store/commands.h"
#include "lazy/fuse_session.h"
#include "lazy/mounted_paths.h"
#include "lazy/remote_paths.h"
#include "lazy/sparse_path.h"

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
};

// At most so many frames are brought at once; half of them only for readers.
constexpr unsigned urgent_threads = 2, other_threads = 2;
constexpr unsigned request_threads = 2;

// The paths, and what they refer to. Each is looked for once.
std::vector<lazy::RemotePath> find_all(lazy::RemotePaths& remote, const nix::StorePathSet& wanted,
                                       bool closure) {
  std::vector<lazy::RemotePath> found;
  std::deque<nix::StorePath> waiting(wanted.begin(), wanted.end());
  nix::StorePathSet seen = wanted;
  for (; !waiting.empty(); waiting.pop_front()) {
    found.push_back(remote.find(waiting.front()));
    if (!closure) continue;
    for (const nix::StorePath& reference : found.back().info.references)
      if (seen.insert(reference).second) waiting.push_back(reference);
  }
  return found;
}

// Detached when it goes, whatever is still open in it.
class Mount {
 public:
  explicit Mount(const std::string& directory) : directory_(directory), mount_(lazy::mount_fuse(directory)) {}
  ~Mount() { umount2(directory_.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }
  Mount(const Mount&) = delete;
  Mount& operator=(const Mount&) = delete;

  lazy::FuseTerms terms() const noexcept { return mount_.terms; }
  Fd take_device() noexcept { return std::move(mount_.device); }

 private:
  const std::string directory_;
  lazy::FuseMount mount_;
};

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

  lazy::RemotePaths remote(caches_of(config, options.caches), keys, config.isolation);
  const std::vector<lazy::RemotePath> found = find_all(remote, wanted, !options.no_closure);
  const TempDir files("flox-mount-", options.files);
  const Directory files_directory(files.path());
  lazy::FrameQueue queue(urgent_threads, other_threads);
  lazy::MountedPaths paths;
  uint64_t bytes = 0;
  for (const lazy::RemotePath& path : found) {
    const std::string& name = path.info.path.base_name();
    const auto contents = lazy::SparsePath::open(files_directory.make_directory(name, 0700), path.index,
                                                 queue.source(name, path.places));
    paths.add({.name = name,
               .slot = static_cast<uint32_t>(&path - found.data() + 1),
               .tree = std::make_shared<lazy::PathTree>(*path.index),
               .contents = contents});
    bytes += path.info.nar_size;
  }
  Mount mounted(options.directory);
  lazy::FuseSession session(mounted.take_device(), mounted.terms(), paths);
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < request_threads; ++i) threads.emplace_back([&] { session.serve(); });
  fmt::print("mounted {} store paths ({}) at {}; Ctrl-C ends it\n", found.size(), size_text(bytes),
             options.directory);
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  session.stop();
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
