// flox auth logout: revokes the stored token, and forgets it.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/net/url.h"
#include "catalog/credentials.h"
#include "cli/auth/commands.h"
#include "cli/catalog_options.h"
#include "cli/say.h"

namespace flox::cli {
namespace {

void logout(const CatalogOptions& options) {
  const std::string url = url_of(options);
  const auto file = catalog::Credentials::default_file();
  const auto all = catalog::Credentials::load(file);
  const auto* credential = all.find(url);
  if (credential == nullptr)
    throw Error(ErrorKind::not_found, fmt::format("you are not logged in to {}", printable_url(url)),
                "Run 'flox auth login'.");
  try {
    catalog::Client catalog(url, credential->token);
    const auto self = catalog.ask("GET", "/api/v1/auth/whoami", nullptr, "logging out");
    if (!self.value("operator", false))
      catalog.ask("DELETE", "/api/v1/auth/tokens/" + segment(text_in(self, "token")), nullptr, "logging out");
  } catch (const Error& error) {
    // The user wants it gone from here, whatever the catalog says.
    say("The token could not be revoked at the catalog, where it stays valid until it expires: {}\n",
        error.what());
  }
  catalog::Credentials::remove(file, url);
  say("✔ Logged out of {}\n", printable_url(url));
}

}  // namespace

void add_auth_logout(CLI::App& auth) {
  auto options = std::make_shared<CatalogOptions>();
  auto* command = auth.add_subcommand("logout", "Revoke the stored token of the catalog, and forget it");
  command->add_option("--catalog", options->url, "URL of the catalog (FLOX_CATALOG_URL)");
  command->footer("Example:\n  flox auth logout");
  command->callback([options] { logout(*options); });
}

}  // namespace flox::cli
