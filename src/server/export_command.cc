#include <fmt/format.h>

#include <memory>

#include "base/settings/units.h"
#include "server/commands.h"
#include "server/storage.h"
#include "server/transfer/export.h"

namespace flox::server {
namespace {

void run_export(const ServerSettings& settings, const std::filesystem::path& directory) {
  const auto database = open_present_database(settings);
  const auto files = open_storage_files(settings, Use::transfer);
  const ExportResult result = export_catalog(*database, *files, directory);
  fmt::print("exported {} and {} ({}, {} copied now) to {}\nsha256 {}\n", count_text(result.rows, "record"),
             count_text(result.files, "file"), count_text(result.bytes, "byte"), result.files_copied,
             directory.string(), result.sha256);
}

}  // namespace

void add_export_command(CLI::App& app, const ServerSettings& settings, std::function<void()>& work) {
  auto* command =
      app.add_subcommand("export", "Export the whole catalog as a directory, also while it serves.");
  command->fallthrough();
  command->footer(
      "The options of flox-catalog say where the catalog is: --data, or --database and --files.\n"
      "Not in it: tokens, the key of --online-key, the audit log, and the options themselves.\n\n"
      "Example:\n"
      "  flox-catalog export /backup/catalog --data /var/lib/flox/catalog");
  const auto directory = std::make_shared<std::filesystem::path>();
  command
      ->add_option(
          "DIRECTORY", *directory,
          "Directory to export to: a new one, or that of an earlier export, which is brought up to date.")
      ->required();
  command->callback(
      [&settings, &work, directory] { work = [&settings, directory] { run_export(settings, *directory); }; });
}

}  // namespace flox::server
