// flox catalog retention show: which versions and generations stay.
#include <fmt/format.h>

#include <memory>

#include "cli/catalog/commands.h"
#include "cli/catalog/retention_rule.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct CatalogRetentionShowOptions {
  CatalogOptions catalog;
  std::string owner;
  bool json = false;
};

void show_rule(const CatalogRetentionShowOptions& options) {
  const nlohmann::json answer =
      client_of(options.catalog)
          .ask("GET", retention_path(options.owner), nullptr, "asking for the rule of retention");
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return;
  }
  fmt::print("{}\n", rule_in_words(options.owner, answer));
}

}  // namespace

void add_catalog_retention_show(CLI::App& retention) {
  auto options = std::make_shared<CatalogRetentionShowOptions>();
  auto* command = retention.add_subcommand("show", "Show which versions and generations stay");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner,
                      "the owner (default: the catalog's rule, for owners without one)");
  command->add_flag("--json", options->json, "print JSON");
  command->footer("Example:\n  flox catalog retention show acme");
  command->callback([options] { show_rule(*options); });
}

}  // namespace flox::cli
