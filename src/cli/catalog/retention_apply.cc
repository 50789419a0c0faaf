// flox catalog retention apply: removes what the rules let go.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>

#include "base/data/json.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "catalog/signing.h"
#include "cli/catalog/commands.h"
#include "cli/catalog/retention_rule.h"
#include "cli/catalog_options.h"
#include "cli/publishing.h"
#include "cli/say.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

struct CatalogRetentionApplyOptions {
  CatalogOptions catalog;
  std::string owner;
  std::vector<std::string> metadata_keys;
  std::string key_file;
  bool dry_run = false;
  bool json = false;
};

// Why each build goes, by package and build.
using Builds = std::map<std::string, std::map<std::string, std::string>>;

// As an answer has it; older catalogs do not say.
std::string why_of(const nlohmann::json& one) {
  const auto why = one.find("why");
  return why == one.end() || !why->is_string() ? "" : ": " + printable(why->get<std::string>(), 200);
}

Builds builds_in(const nlohmann::json& answer, const char* key) {
  Builds builds;
  for (const auto& one : items_in(answer, key))
    builds[text_in(one, "package")][text_in(one, "build")] = why_of(one);
  return builds;
}

void print_builds(const Builds& builds, const char* what) {
  for (const auto& [package, of_it] : builds)
    for (const auto& [build, why] : of_it) fmt::print("{} {} {}{}\n", what, package, build, why);
}

// What is signed the owner takes out of its packages' name files; each package whole or not at all.
void remove_signed(const CatalogRetentionApplyOptions& options, catalog::Client& client,
                   const Builds& builds) {
  if (builds.empty()) return;
  OwnerSigning signing(Config::load(), options.owner, options.metadata_keys, options.key_file, client);
  catalog::MetadataSigner& signer = signing.require();
  for (const auto& [package, of_it] : builds) {
    std::set<std::string> names;
    for (const auto& [build, why] : of_it) names.insert(build);
    catalog::remove_signed(signer, client, package, names);
    print_builds({{package, of_it}}, "removed");
  }
}

void apply_rules(const CatalogRetentionApplyOptions& options) {
  catalog::Client client = client_of(options.catalog);
  const nlohmann::json answer =
      client.ask("POST", retention_path(options.owner) + "/apply", {{"dry_run", options.dry_run}},
                 "applying the rules of retention", catalog::Client::Patience::long_work);
  if (options.json) fmt::print("{}\n", answer.dump(2));
  const Builds to_sign = builds_in(answer, "to_sign");
  if (!options.json) {
    const char* what = options.dry_run ? "would remove" : "removed";
    for (const auto& one : items_in(answer, "generations"))
      fmt::print("{} {}:{}{}\n", what, text_in(one, "environment"),
                 member(one, "generation", "the answer").dump(), why_of(one));
    print_builds(builds_in(answer, "builds"), what);
    if (options.dry_run) print_builds(to_sign, "would sign and remove");
    if (to_sign.empty() && items_in(answer, "generations").empty() && items_in(answer, "builds").empty())
      say("Nothing has to go.\n");
  }
  if (options.dry_run) return;
  if (options.owner.empty() && !to_sign.empty())
    say("! {} with signed builds that only their owners can remove: flox catalog retention apply OWNER\n",
        count_text(to_sign.size(), "package"));
  if (!options.owner.empty()) remove_signed(options, client, to_sign);
}

}  // namespace

void add_catalog_retention_apply(CLI::App& retention) {
  auto options = std::make_shared<CatalogRetentionApplyOptions>();
  auto* command = retention.add_subcommand("apply", "Remove the versions and generations that need not stay");
  add_catalog_options(*command, options->catalog);
  command->add_option("OWNER", options->owner,
                      "only of this owner; what it has signed is signed anew (default: all owners)");
  add_metadata_keys(*command, options->metadata_keys);
  add_signing_key(*command, options->key_file);
  command->add_flag("-n,--dry-run", options->dry_run, "only print what would go");
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Example:\n  flox catalog retention apply acme --dry-run\n\n'flox catalog gc' then removes the store "
      "paths that nothing "
      "needs any more.");
  command->callback([options] { apply_rules(*options); });
}

}  // namespace flox::cli
