// flox auth status: as whom the catalog knows the user.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/net/url.h"
#include "cli/auth/commands.h"
#include "cli/catalog_options.h"

namespace flox::cli {
namespace {

struct StatusOptions {
  CatalogOptions catalog;
  bool json = false;
};

void show_status(const StatusOptions& options) {
  const std::string url = url_of(options.catalog);
  const Secret token = token_of(options.catalog);
  if (token.empty())
    throw Error(ErrorKind::not_found, fmt::format("there is no token for {}", printable_url(url)),
                "Run 'flox auth login', or set FLOX_CATALOG_TOKEN.");
  const auto self =
      catalog::Client(url, token).ask("GET", "/api/v1/auth/whoami", nullptr, "asking who you are");
  if (options.json) return fmt::print("{}\n", self.dump(2));
  fmt::print("Catalog:  {}\n", printable_url(url));
  fmt::print("Name:     {}\n", text_in(self, "name"));
  fmt::print("Token:    {}, scope {}\n", text_in(self, "token"), text_in(self, "scope"));
  if (const std::string expires = text_in(self, "expires_at"); !expires.empty())
    fmt::print("Expires:  {}\n", expires);
  if (const auto owners = self.find("owners"); owners != self.end() && owners->is_object())
    for (const auto& [owner, role] : owners->items())
      fmt::print("Owner:    {} ({})\n", owner, text_in(*owners, owner.c_str()));
}

}  // namespace

void add_auth_status(CLI::App& auth) {
  auto options = std::make_shared<StatusOptions>();
  auto* command =
      auth.add_subcommand("status", "Show as whom the catalog knows you, and what your token allows");
  add_catalog_options(*command, options->catalog);
  command->add_flag("--json", options->json, "print JSON");
  command->footer("Example:\n  flox auth status");
  command->callback([options] { show_status(*options); });
}

}  // namespace flox::cli
