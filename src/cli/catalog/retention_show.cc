// flox catalog retention show: which versions and generations stay.
#include <fmt/format.h>

#include <memory>

#include "base/data/json.h"
#include "base/settings/units.h"
#include "cli/auth/catalog_options.h"
#include "cli/catalog/commands.h"
#include "cli/catalog/retention_path.h"

namespace flox::cli {
namespace {

struct CatalogRetentionShowOptions {
  CatalogOptions catalog;
  std::string owner;
  bool json = false;
};

std::string in_words(const nlohmann::json& rule) {
  const auto count = [&](const char* key) {
    const nlohmann::json& value = member(rule, key, "the catalog's answer");
    return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
  };
  const auto kept = [&](const char* key, std::string_view noun) {
    const uint64_t number = count(key);
    return number == 0   ? fmt::format("all {}", key)
           : number == 1 ? fmt::format("the newest {}", noun)
                         : fmt::format("the newest {}", count_text(number, noun));
  };
  std::string text = fmt::format("{}, {}", kept("versions", "version"), kept("generations", "generation"));
  if (count("days") > 0)
    text += fmt::format(", and all that is younger than {}", count_text(count("days"), "day"));
  return text;
}

void show_rule(const CatalogRetentionShowOptions& options) {
  const nlohmann::json answer =
      client_of(options.catalog)
          .ask("GET", retention_path(options.owner), nullptr, "asking for the rule of retention");
  if (options.json) {
    fmt::print("{}\n", answer.dump(2));
    return;
  }
  const auto& own = member(answer, "rule", "the catalog's answer");
  const auto& otherwise = member(answer, "default", "the catalog's answer");
  const auto& rule = own.is_null() ? otherwise : own;
  fmt::print("{} keeps {}{}\n", options.owner.empty() ? "the catalog" : options.owner,
             rule.is_null() ? "everything: there is no rule" : in_words(rule),
             own.is_null() && !rule.is_null() && !options.owner.empty() ? " (the catalog's rule)" : "");
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
