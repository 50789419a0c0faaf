// flox store mount: shows store paths of caches as files that come when they are read.
#include <memory>

#include "base/error.h"
#include "base/os/directory.h"
#include "base/os/file.h"
#include "cli/other_program.h"
#include "cli/store/commands.h"
#include "lazy/mount_files.h"
#include "lazy/remote_paths.h"

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

// The paths, and what they refer to. Each is looked for once.
std::vector<lazy::RemotePath> find_all(lazy::RemotePaths& remote, const nix::StorePathSet& wanted,
                                       bool closure) {
  std::vector<lazy::RemotePath> all;
  nix::StorePathSet seen = wanted;
  std::vector<nix::StorePath> waiting(wanted.begin(), wanted.end());
  while (!waiting.empty()) {
    std::vector<nix::StorePath> next;
    for (lazy::RemotePath& path : remote.find(waiting)) {
      for (const nix::StorePath& reference : path.info.references)
        if (closure && seen.insert(reference).second) next.push_back(reference);
      all.push_back(std::move(path));
    }
    waiting = std::move(next);
  }
  return all;
}

void mount_paths(const StoreMountOptions& options) {
  const Config config = Config::load();
  std::vector<std::string> keys = config.trusted_keys;
  keys.insert(keys.end(), options.trusted_keys.begin(), options.trusted_keys.end());
  lazy::MountPlan plan{.directory = options.directory,
                       .caches = caches_of(config, options.caches),
                       .trusted_keys = std::move(keys),
                       .isolation = config.isolation,
                       .whole = options.whole,
                       .paths = {}};
  const TempDir files("flox-mount-", options.files);  // the keeper's once that has taken this process's place
  {
    lazy::RemotePaths remote(plan.caches, nix::TrustedKeys(plan.trusted_keys), plan.isolation);
    const std::vector<lazy::RemotePath> found =
        find_all(remote, to_store_paths(options.paths), !options.no_closure);
    for (const lazy::RemotePath& path : found) plan.paths.push_back(path.info.path);
    lazy::write_mount_files(Directory(files.path()), plan, found);
  }
  const std::string kept = fs::absolute(files.path());
  const std::string server = find_program("flox-lazy-server");
  execute_program("flox-lazy-keeper", "flox store mount",
                  {"--lock", std::to_string(files.lock_for_successor()), fs::absolute(options.directory),
                   kept, server, kept});
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
      "'flox store index' adds them). Needs root. If the process that answers dies, another one goes on, and "
      "readers wait\n"
      "meanwhile (Linux 6.9). SIGINT and SIGTERM unmount and remove what came.\n\n"
      "Example:\n  flox store mount /mnt --cache https://cache.example.org /nix/store/…-web");
  command->callback([options] { mount_paths(*options); });
}

}  // namespace flox::cli
