// flox catalog retention set: which versions and generations stay.
#include <fmt/format.h>

#include <memory>

#include "base/command_line/program.h"
#include "cli/catalog/commands.h"
#include "cli/catalog/retention_rule.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct CatalogRetentionSetOptions {
  CatalogOptions catalog;
  std::string owner;
  int64_t versions = 0, generations = 0, days = 0;
  bool none = false;
};

void set_rule(const CatalogRetentionSetOptions& options) {
  if (options.none == (options.versions > 0 || options.generations > 0))
    fail_usage("flox catalog retention set: what is to stay?",
               "Pass --versions or --generations, or --none to remove the rule.");
  nlohmann::json rule;
  if (!options.none)
    rule = {{"versions", options.versions}, {"generations", options.generations}, {"days", options.days}};
  const nlohmann::json answer =
      client_of(options.catalog)
          .ask("POST", retention_path(options.owner), {{"rule", rule}}, "setting the rule of retention");
  say("✔ {}.\n", rule_in_words(options.owner, answer));
  if (!options.none) say("'flox catalog retention apply' removes what need not stay.\n");
}

}  // namespace

void add_catalog_retention_set(CLI::App& retention) {
  auto options = std::make_shared<CatalogRetentionSetOptions>();
  auto* command = retention.add_subcommand("set", "Say which versions and generations stay");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner, "the owner (default: all owners without a rule of their own)");
  constexpr int most = 1'000'000;
  command
      ->add_option("--versions", options->versions, "so many newest versions of each package (default: all)")
      ->check(CLI::Range(1, most));
  command
      ->add_option("--generations", options->generations,
                   "so many newest generations of each environment (default: all)")
      ->check(CLI::Range(1, most));
  command->add_option("--days", options->days, "and all that is younger (default: 0)")
      ->check(CLI::Range(0, most));
  command->add_flag("--none", options->none, "remove the rule");
  command->footer(
      "Examples:\n  flox catalog retention set acme --versions 10 --generations 20 --days 90\n  flox catalog "
      "retention "
      "set acme --none\n\nA version that a generation needs stays as long as that one. Yanked versions do "
      "not count.");
  command->callback([options] { set_rule(*options); });
}

}  // namespace flox::cli
