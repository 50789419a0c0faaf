// flox catalog gc: removes store paths that nothing in the catalog needs.
#include <fmt/format.h>

#include <memory>

#include "base/data/json.h"
#include "cli/auth/catalog_options.h"
#include "cli/catalog/commands.h"

namespace flox::cli {
namespace {

struct CatalogGcOptions {
  CatalogOptions catalog;
  int grace = -1;  // hours; -1: as flox-catalog's --orphan-age
  bool dry_run = false;
  bool json = false;
};

uint64_t count_of(const nlohmann::json& answer, const char* key) {
  const nlohmann::json& value = member(answer, key, "the catalog's answer");
  return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
}

void collect(const CatalogGcOptions& options) {
  nlohmann::json wanted = {{"dry_run", options.dry_run}};
  if (options.grace >= 0) wanted["grace_hours"] = options.grace;
  const nlohmann::json answer =
      client_of(options.catalog)
          .ask("POST", "/api/v1/catalog/gc", wanted, "collecting the catalog's garbage",
               catalog::Client::Patience::long_work);
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return;
  }
  fmt::print("{}{} store paths and {} NARs, {:.1f} MB\n", options.dry_run ? "would remove " : "removed ",
             count_of(answer, "paths"), count_of(answer, "nars"),
             static_cast<double>(count_of(answer, "bytes")) / 1e6);
  fmt::print("{} store paths are needed, {} others are too young to go\n", count_of(answer, "kept_paths"),
             count_of(answer, "kept_young_paths"));
}

}  // namespace

void add_catalog_gc(CLI::App& catalog) {
  auto options = std::make_shared<CatalogGcOptions>();
  auto* command = catalog.add_subcommand("gc", "Remove store paths that nothing in the catalog needs");
  add_catalog_options(*command, options->catalog);
  command
      ->add_option("--grace", options->grace,
                   "leave what was uploaded within so many hours: somebody may be publishing it (default: "
                   "flox-catalog's --orphan-age)")
      ->check(CLI::Range(0, 24 * 365));
  command->add_flag("-n,--dry-run", options->dry_run, "only count them");
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Example:\n  flox catalog gc --dry-run\n\n"
      "It needs the operator's token. What is published meanwhile stays.");
  command->callback([options] { collect(*options); });
}

}  // namespace flox::cli
