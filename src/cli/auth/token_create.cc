// flox auth token create: makes a token, for CI or a node.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct NewTokenOptions {
  CatalogOptions catalog;
  std::string owner, scope, description;
  int days = 90;
  bool json = false;
};

void create_token(const NewTokenOptions& options) {
  nlohmann::json body = {
      {"scope", options.scope}, {"days", options.days}, {"description", options.description}};
  if (!options.owner.empty()) body["owner"] = options.owner;
  const auto made = client_of(options.catalog).ask("POST", "/api/v1/auth/tokens", body, "creating the token");
  if (options.json) return fmt::print("{}\n", made.dump(2));
  fmt::print("{}\n", text_in(made, "token"));
  say("✔ Created {}, which expires at {}. It is shown this once.\n", text_in(made, "id"),
      text_in(made, "expires_at"));
}

}  // namespace

void add_auth_token_create(CLI::App& token) {
  auto options = std::make_shared<NewTokenOptions>();
  auto* command = token.add_subcommand("create", "Create a token of the catalog, and print it once");
  add_catalog_options(*command, options->catalog);
  command->add_option("-o,--owner", options->owner,
                      "owner that the token is for (default: all owners that you are a member of)");
  command->add_option("--scope", options->scope, "what it allows: read, publish or admin")
      ->required()
      ->check(CLI::IsMember({"read", "publish", "admin"}));
  command->add_option("--days", options->days, "days until it expires, 1 to 366 (default: 90)")
      ->check(CLI::Range(1, 366));
  command->add_option("--description", options->description, "what it is for");
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Example:\n  (umask 077; flox auth token create --owner acme --scope publish --days 30 > token)");
  command->callback([options] { create_token(*options); });
}

}  // namespace flox::cli
