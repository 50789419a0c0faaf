// flox auth login: gets a token of the catalog, and stores it for the user.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/net/url.h"
#include "catalog/credentials.h"
#include "cli/auth/catalog_options.h"
#include "cli/auth/commands.h"
#include "cli/auth/device_login.h"
#include "cli/options.h"

namespace flox::cli {
namespace {

using nlohmann::json;

void show_code(const DeviceCode& code) {
  if (code.complete_url.empty())
    fmt::print(stderr, "Open {} in a browser and enter the code {}\n", code.url, code.code);
  else
    fmt::print(stderr, "Open {} in a browser and check that it shows the code {}\n", code.complete_url,
               code.code);
  fmt::print(stderr, "Waiting …\n");
}

// At the catalog's issuer, whose token the catalog exchanges for one of its own.
Secret token_by_issuer(const std::string& url) {
  catalog::Client catalog(url);
  const json login = catalog.ask("GET", "/api/v1/auth/login", nullptr, "logging in");
  const json oidc = login.is_object() ? login.value("oidc", json()) : json();
  if (!oidc.is_object())
    throw Error(ErrorKind::not_found, "the catalog has no issuer at which to log in",
                "Ask its operator for a token and pass it: flox auth login --token-file FILE.");
  const Secret id_token = log_in_at({.issuer = oidc.value("issuer", ""),
                                     .client_id = oidc.value("client_id", ""),
                                     .scope = oidc.value("scope", "openid email")},
                                    show_code);
  const json answer =
      catalog.ask_with_form("/api/v1/auth/exchange",
                            {{"grant_type", Secret("urn:ietf:params:oauth:grant-type:token-exchange")},
                             {"subject_token_type", Secret("urn:ietf:params:oauth:token-type:id_token")},
                             {"subject_token", id_token}},
                            "logging in");
  return Secret(answer.is_object() ? answer.value("access_token", "") : "");
}

void login(const CatalogOptions& options) {
  const std::string url = url_of(options);
  const Secret token = options.token_file.empty() ? token_by_issuer(url) : token_of(options);
  const json self = catalog::Client(url, token).ask("GET", "/api/v1/auth/whoami", nullptr, "logging in");
  const catalog::Credential credential{
      .token = token, .user = text_in(self, "name"), .expires_at = text_in(self, "expires_at")};
  const auto file = catalog::Credentials::default_file();
  catalog::Credentials::put(file, url, credential);
  fmt::print(stderr, "✔ Logged in to {} as {}{}{}\n", printable_url(url), credential.user,
             credential.expires_at.empty() ? "" : " until ", credential.expires_at);
}

}  // namespace

void add_auth_login(CLI::App& auth) {
  auto options = std::make_shared<CatalogOptions>();
  auto* command = auth.add_subcommand("login", "Log in to the catalog, and store its token");
  add_catalog_options(*command, *options);
  command->footer("Examples:\n  flox auth login\n  flox auth login --token-file token");
  command->callback([options] { login(*options); });
}

}  // namespace flox::cli
