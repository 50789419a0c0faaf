// flox auth token revoke: makes a token worthless, at once.
#include <fmt/format.h>

#include <memory>

#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

struct RevokeOptions {
  CatalogOptions catalog;
  std::string id;
};

void revoke_token(const RevokeOptions& options) {
  const auto token =
      client_of(options.catalog)
          .ask("DELETE", "/api/v1/auth/tokens/" + segment(options.id), nullptr, "revoking the token");
  say("✔ Revoked {} at {}\n", text_in(token, "id"), text_in(token, "revoked_at"));
}

}  // namespace

void add_auth_token_revoke(CLI::App& token) {
  auto options = std::make_shared<RevokeOptions>();
  auto* command = token.add_subcommand("revoke", "Revoke a token of the catalog");
  add_catalog_options(*command, options->catalog);
  command->add_option("ID", options->id, "the token's beginning, as 'flox auth token list' shows it")
      ->required();
  command->footer("Example:\n  flox auth token revoke flox_0123456789ab");
  command->callback([options] { revoke_token(*options); });
}

}  // namespace flox::cli
