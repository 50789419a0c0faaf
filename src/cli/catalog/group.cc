// flox catalog and flox catalog retention: their groups of commands.
#include "cli/catalog/commands.h"
#include "cli/commands.h"

namespace flox::cli {

void add_catalog(CLI::App& app) {
  auto* catalog = app.add_subcommand(
      "catalog", "Run a catalog of your own; collect a catalog's garbage, set rules of retention");
  catalog->require_subcommand(1);
  catalog->footer(
      "Examples:\n  flox catalog serve\n  flox catalog retention set acme --versions 10 --days 90\n  flox "
      "catalog gc --dry-run");
  add_catalog_serve(*catalog);
  add_catalog_gc(*catalog);
  add_catalog_retention(*catalog);
}

void add_catalog_retention(CLI::App& catalog) {
  auto* retention =
      catalog.add_subcommand("retention", "Say which versions and generations stay, and remove the others");
  retention->require_subcommand(1);
  retention->footer("Example:\n  flox catalog retention apply acme --dry-run");
  add_catalog_retention_show(*retention);
  add_catalog_retention_set(*retention);
  add_catalog_retention_apply(*retention);
}

}  // namespace flox::cli
