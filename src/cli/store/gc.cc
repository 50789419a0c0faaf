// flox store gc: removes the paths that no root reaches.
#include "store/gc/gc.h"

#include <memory>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/store/commands.h"

namespace flox::cli {
namespace {

struct StoreGcOptions {
  std::string max_freed;
  std::string keep_newer;
  bool dry_run = false;
  bool quiet = false;
  bool json = false;
};

void print(const store::GcResult& result, const StoreGcOptions& options) {
  if (options.json) {
    nlohmann::json removed = nlohmann::json::array();
    for (const nix::StorePath& path : result.removed) removed.push_back(path.to_string());
    print_json({{"removed", removed},
                {"nar_bytes", result.nar_bytes},
                {"bytes_freed", result.bytes_freed},
                {"litter", result.litter},
                {"links_removed", result.links_removed},
                {"failures", result.failures},
                {"paths_kept", result.paths_kept},
                {"dry_run", options.dry_run}});
    return;
  }
  if (!options.quiet)
    for (const nix::StorePath& path : result.removed) fmt::print("{}\n", path.to_string());
  if (options.dry_run)
    fmt::print("{} ({}) would be removed, {} kept\n", count_text(result.removed.size(), "path"),
               size_text(result.nar_bytes), result.paths_kept);
  else
    fmt::print("{} removed, {} freed, {} kept\n", count_text(result.removed.size(), "path"),
               size_text(result.bytes_freed), result.paths_kept);
}

void collect(const StoreGcOptions& options) {
  store::GcOptions how{.dry_run = options.dry_run};
  if (!options.max_freed.empty())
    how.max_freed = in_context("--max-freed", [&] { return parse_size(options.max_freed); });
  if (!options.keep_newer.empty())
    how.keep_newer = in_context("--keep-newer", [&] { return parse_duration(options.keep_newer); });
  store::LocalStore store = open_store(Config::load());
  const store::GcResult result = store::collect_garbage(store, how);
  print(result, options);
  if (result.failures > 0)
    throw Error(
        ErrorKind::unavailable,
        fmt::format("collecting garbage: {} could not be deleted", count_text(result.failures, "file")),
        "Read the reasons above. The next collection tries again.");
}

}  // namespace

void add_store_gc(CLI::App& store) {
  auto options = std::make_shared<StoreGcOptions>();
  auto* command = store.add_subcommand("gc", "Remove the paths that no garbage-collection root reaches");
  command->add_option(
      "--max-freed", options->max_freed,
      "stop after freeing this size: 500M, 20G (default: no limit); longest unused paths first");
  command->add_option(
      "--keep-newer", options->keep_newer,
      "keep paths that were in use within this time, and their closures: 12h, 30d (default: none)");
  command->add_flag("--dry-run", options->dry_run, "print what would be removed, and remove nothing");
  command->add_flag("-q,--quiet", options->quiet, "do not print the removed paths");
  add_json(*command, options->json);
  command->footer(
      "Nix, floxd and other flox commands may use the store at the same time. Roots: flox store roots.\n\n"
      "Examples:\n  flox store gc --keep-newer 30d\n  flox store gc --max-freed 20G --dry-run");
  command->callback([options] { collect(*options); });
}

}  // namespace flox::cli
