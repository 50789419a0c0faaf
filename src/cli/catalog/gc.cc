// flox catalog gc: removes store paths that nothing in the catalog needs.
#include <fmt/format.h>

#include <memory>

#include "base/command_line/program.h"
#include "base/error.h"
#include "base/settings/types.h"
#include "base/settings/units.h"
#include "cli/catalog/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct CatalogGcOptions {
  CatalogOptions catalog;
  std::string grace;  // empty: as flox-catalog's --orphan-age
  bool dry_run = false;
  bool json = false;
};

// Read as flox-catalog reads its --orphan-age.
int64_t hours_of(const std::string& grace) try {
  constexpr std::chrono::hours most{24 * 365};
  const auto hours = in_context("--grace", [&] { return SettingType<std::chrono::hours>::parse(grace); });
  if (hours > most)
    fail(ErrorKind::invalid_input, "--grace: '{}' is more than {}", grace, exact_duration_text(most));
  return hours.count();
} catch (const Error& error) {
  fail_usage(error.what(), error.advice());
}

void collect(const CatalogGcOptions& options) {
  nlohmann::json wanted = {{"dry_run", options.dry_run}};
  if (!options.grace.empty()) wanted["grace_hours"] = hours_of(options.grace);
  const nlohmann::json answer =
      client_of(options.catalog)
          .ask("POST", "/api/v1/catalog/gc", wanted, "collecting the catalog's garbage",
               catalog::Client::Patience::long_work);
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return;
  }
  fmt::print("{}{} and {}, {:.1f} MB\n", options.dry_run ? "would remove " : "removed ",
             count_text(count_in(answer, "paths"), "store path"), count_text(count_in(answer, "nars"), "NAR"),
             static_cast<double>(count_in(answer, "bytes")) / 1e6);
  fmt::print("needed: {}; too young to go: {}\n", count_text(count_in(answer, "kept_paths"), "store path"),
             count_text(count_in(answer, "kept_young_paths"), "other"));
}

}  // namespace

void add_catalog_gc(CLI::App& catalog) {
  auto options = std::make_shared<CatalogGcOptions>();
  auto* command = catalog.add_subcommand("gc", "Remove store paths that nothing in the catalog needs");
  add_catalog_options(*command, options->catalog);
  command->add_option(
      "--grace", options->grace,
      "leave what was uploaded within this time: 36h, 7d, a number alone counts hours. Somebody may be "
      "publishing it (default: flox-catalog's --orphan-age)");
  command->add_flag("-n,--dry-run", options->dry_run, "only count them");
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Example:\n  flox catalog gc --dry-run\n\n"
      "It needs the operator's token. What is published meanwhile stays.");
  command->callback([options] { collect(*options); });
}

}  // namespace flox::cli
