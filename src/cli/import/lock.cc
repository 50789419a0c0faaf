// flox import lock: the packages of a manifest.lock, into the catalog.
#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/os/file.h"
#include "cli/import/commands.h"
#include "cli/say.h"
#include "package/nix/import_lock.h"

namespace flox::cli {
namespace {

struct ImportLockOptions {
  std::string file;
  std::vector<std::string> systems;
  bool all_outputs = false;
  PathOrigin origin;
  ImportResults results;
};

// The file, or that of an environment's directory.
std::filesystem::path lock_file(const std::string& text) {
  const std::filesystem::path path = text;
  return std::filesystem::is_directory(path) ? path / ".flox/env/manifest.lock" : path;
}

void import_lock(const ImportLockOptions& options) {
  const Config config = Config::load();
  const package::PathSource source = path_source(options.origin, config);
  const std::filesystem::path file = lock_file(options.file);
  const env::Lockfile lock =
      env::Lockfile::parse(read_file(file, env::Lockfile::file_limits.bytes), file.string());
  std::set<std::string> systems(options.systems.begin(), options.systems.end());
  if (systems.empty()) systems.insert(package::system_of_this_machine());
  const package::LockImport import =
      in_context(file.string(), [&] { return package::builds_of_lock(lock, systems, options.all_outputs); });
  for (const std::string& line : import.left_out) say("  left out: {}\n", line);
  if (import.builds.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("{} has no package for {}", file.string(), *systems.begin()),
                "Pass --system with one that it has packages for, or write it with 'flox lock'.");
  ImportResultWriter writer(options.results);
  store::LocalStore store(config.root);
  nix::StorePathSet paths;
  for (const auto& build : import.builds)
    for (const auto& [output, path] : build.outputs) paths.insert(path);
  package::obtain_paths(store, paths, source);
  for (const auto& build : import.builds)
    writer.write(store, package::import_paths(store,
                                              {.build = build,
                                               .command = "flox import lock " + file.filename().string(),
                                               .run_programs = !options.results.no_smoke_run,
                                               .with_provenance = options.results.publish},
                                              source));
  writer.finish();
}

}  // namespace

void add_import_lock(CLI::App& import) {
  auto options = std::make_shared<ImportLockOptions>();
  auto* lock = import.add_subcommand("lock", "Import the packages of an existing manifest.lock");
  lock->add_option("FILE", options->file, "a manifest.lock, or the directory of its environment")->required();
  lock->add_option(
          "--system", options->systems,
          "import the packages for this system, as aarch64-linux; repeatable (default: this machine's)")
      ->allow_extra_args(false);
  lock->add_flag("--all-outputs", options->all_outputs,
                 "import all outputs of the packages, not only those that the lock installs");
  add_path_origin(*lock, options->origin);
  add_result_options(*lock, options->results);
  lock->footer(
      "Packages keep their names, versions and store paths, so the environment runs unchanged from your "
      "catalog. All\n"
      "paths are fetched, or none. A path must be signed by a trusted key.\n\n"
      "Example:\n"
      "  flox import lock .flox/env/manifest.lock --from https://cache.nixos.org \\\n"
      "    --trusted-key cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY= --publish");
  lock->callback([options] { import_lock(*options); });
}

}  // namespace flox::cli
