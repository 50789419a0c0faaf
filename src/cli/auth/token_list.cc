// flox auth token list: the user's tokens, or an owner's.
#include <fmt/format.h>

#include <memory>

#include "base/net/http_client.h"
#include "cli/auth/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct TokenListOptions {
  CatalogOptions catalog;
  std::string owner;
  bool json = false;
};

std::string state_of(const nlohmann::json& token) {
  if (!text_in(token, "revoked_at").empty()) return "revoked " + text_in(token, "revoked_at");
  return "expires " + text_in(token, "expires_at");
}

void list_tokens(const TokenListOptions& options) {
  const std::string path =
      "/api/v1/auth/tokens" + (options.owner.empty() ? "" : "?owner=" + url_encode(options.owner));
  const auto tokens = client_of(options.catalog).ask_all(path, "listing tokens");
  if (options.json) return fmt::print("{}\n", tokens.dump(2));
  for (const auto& token : tokens) {
    const std::string user = text_in(token, "user");
    const std::string used = text_in(token, "last_used_at");
    fmt::print("{}  {:<8} {:<24} {}, used {}  {}\n", text_in(token, "id"), text_in(token, "scope"),
               user.empty() ? text_in(token, "owner") : user, state_of(token), used.empty() ? "never" : used,
               text_in(token, "description"));
  }
}

}  // namespace

void add_auth_token_list(CLI::App& token) {
  auto options = std::make_shared<TokenListOptions>();
  auto* command = token.add_subcommand("list", "List your tokens of the catalog, or those of an owner");
  add_catalog_options(*command, options->catalog);
  command->add_option("-o,--owner", options->owner, "owner whose tokens to list, which its admins may");
  command->add_flag("--json", options->json, "print JSON");
  command->footer("Example:\n  flox auth token list --owner acme");
  command->callback([options] { list_tokens(*options); });
}

}  // namespace flox::cli
