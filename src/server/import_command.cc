#include <fmt/format.h>

#include <memory>

#include "base/log.h"
#include "base/settings/units.h"
#include "server/commands.h"
#include "server/storage.h"
#include "server/transfer/import.h"

namespace flox::server {
namespace {

struct ImportCommand {
  std::filesystem::path directory;
  std::string sha256;
  bool unverified = false;
};

void run_import(const ServerSettings& settings, const ImportCommand& command) {
  const RegisteredKeys keys =
      command.unverified ? RegisteredKeys(settings.trusted_keys) : required_keys(settings, "import");
  if (keys.empty()) log::warning("--unverified: signatures of store paths and attestations are not verified");
  TransferStorage into(settings, keys);
  const ImportResult result = import_catalog(command.directory, command.sha256,
                                             {.database = *into.database, .cache = into.cache, .keys = keys});
  fmt::print("imported {} ({} new) and {} ({} new) from {}\n", count_text(result.rows, "record"),
             result.rows_added, count_text(result.files, "file"),
             count_text(result.paths_copied, "store path"), command.directory.string());
  for (const std::string& key : result.timestamp_keys) fmt::print("timestamps of {}\n", key);
}

}  // namespace

void add_import_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work) {
  auto* command = app.add_subcommand("import", "Import an exported catalog into an empty one.");
  command->fallthrough();
  command->footer(
      "The options of flox-catalog say where the catalog is to be, and with --trusted-key whose signatures\n"
      "of store paths count. Nothing appears before all of it has been verified. Interrupted, it goes on\n"
      "when it is run again.\n\n"
      "Example:\n"
      "  flox-catalog import /backup/catalog --data /var/lib/flox/catalog --trusted-key \"$(cat "
      "ops-1.pub)\"");
  const auto options = std::make_shared<ImportCommand>();
  command->add_option("DIRECTORY", options->directory, "Directory of the export.")->required();
  command->add_option("--sha256", options->sha256, "SHA-256 that the export told; another one is refused.");
  command->add_flag("--unverified", options->unverified,
                    "Import without --trusted-key, too: then signatures of store paths and attestations are "
                    "not verified. For development.");
  command->callback(
      [&settings, &work, options] { work = [&settings, options] { run_import(settings, *options); }; });
}

}  // namespace flox::server
