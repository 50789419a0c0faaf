// flox auth, flox auth token and flox owner: their groups of commands.
#include "cli/auth/commands.h"
#include "cli/commands.h"

namespace flox::cli {

void add_auth(CLI::App& app) {
  auto* auth = app.add_subcommand("auth", "Log in to the catalog, and manage its tokens");
  auth->require_subcommand(1);
  auth->footer(
      "Examples:\n  flox auth login\n  flox auth token create --owner acme --scope publish --days 30 > "
      "token");
  add_auth_login(*auth);
  add_auth_logout(*auth);
  add_auth_status(*auth);
  add_auth_token(*auth);
}

void add_auth_token(CLI::App& auth) {
  auto* token = auth.add_subcommand("token", "Create, list and revoke tokens of the catalog");
  token->require_subcommand(1);
  token->footer("Example:\n  flox auth token list --owner acme");
  add_auth_token_create(*token);
  add_auth_token_list(*token);
  add_auth_token_revoke(*token);
}

void add_owner(CLI::App& app) {
  auto* owner = app.add_subcommand("owner", "Manage owners of packages and environments, and their members");
  owner->require_subcommand(1);
  owner->footer("Examples:\n  flox owner create acme\n  flox owner add acme ada@example.com --role publish");
  add_owner_list(*owner);
  add_owner_create(*owner);
  add_owner_members(*owner);
  add_owner_add(*owner);
  add_owner_remove(*owner);
  add_owner_visibility(*owner);
}

}  // namespace flox::cli
