// flox auth login: gets a token of the catalog, and stores it for the user.
#include <fmt/format.h>

#include <memory>

#include "base/error.h"
#include "base/net/url.h"
#include "catalog/credentials.h"
#include "cli/auth/browser_login.h"
#include "cli/auth/commands.h"
#include "cli/auth/device_login.h"
#include "cli/catalog_access.h"
#include "cli/catalog_options.h"
#include "cli/options.h"

namespace flox::cli {
namespace {

using nlohmann::json;

struct AuthLoginOptions {
  CatalogOptions catalog;
  bool browser = false;
};

void show_page(const std::string& url) {
  fmt::print(stderr, "Open this page in a browser of this machine, and log in:\n{}\n", url);
  if (open_page(url)) fmt::print(stderr, "(It is being opened.)\n");
  fmt::print(stderr, "Waiting …\n");
}

void show_code(const DeviceCode& code) {
  if (code.complete_url.empty())
    fmt::print(stderr, "Open {} in a browser and enter the code {}\n", code.url, code.code);
  else
    fmt::print(stderr, "Open {} in a browser and check that it shows the code {}\n", code.complete_url,
               code.code);
  fmt::print(stderr, "Waiting …\n");
}

// At the catalog's issuer, whose token the catalog exchanges for one of its own.
Secret token_by_issuer(const std::string& url, bool browser) {
  catalog::Client catalog(url);
  const json login = catalog.ask("GET", "/api/v1/auth/login", nullptr, "logging in");
  const json oidc = login.is_object() ? login.value("oidc", json()) : json();
  if (!oidc.is_object())
    throw Error(ErrorKind::not_found, "the catalog has no issuer at which to log in",
                "Ask its operator for a token and pass it: flox auth login --token-file FILE.");
  const IssuerLogin at{.issuer = text_in(oidc, "issuer"),
                       .client_id = text_in(oidc, "client_id"),
                       .scope = text_in(oidc, "scope")};
  if (at.issuer.empty() || at.client_id.empty() || at.scope.empty())
    fail(ErrorKind::unavailable, "the catalog's answer does not say at which issuer to log in");
  fmt::print(stderr, "Logging in to {} at {}\n", printable_url(url), printable_url(at.issuer));
  const Secret id_token =
      browser ? log_in_by_browser(at, show_page, warn_on_stderr) : log_in_by_device(at, show_code);
  const json answer =
      catalog.ask_with_form("/api/v1/auth/exchange",
                            {{"grant_type", Secret("urn:ietf:params:oauth:grant-type:token-exchange")},
                             {"subject_token_type", Secret("urn:ietf:params:oauth:token-type:id_token")},
                             {"subject_token", id_token}},
                            "logging in");
  return Secret(answer.is_object() ? answer.value("access_token", "") : "");
}

void login(const AuthLoginOptions& options) {
  const std::string url = url_of(options.catalog);
  const Secret token =
      options.catalog.token_file.empty() ? token_by_issuer(url, options.browser) : token_of(options.catalog);
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
  auto options = std::make_shared<AuthLoginOptions>();
  auto* command = auth.add_subcommand("login", "Log in to the catalog, and store its token");
  add_catalog_options(*command, options->catalog);
  auto* browser = command->add_flag(
      "--browser", options->browser,
      "log in with a browser of this machine, which brings the answer back to it (default: a code, which you "
      "enter on any machine)");
  browser->excludes(command->get_option("--token-file"));
  command->footer(
      "Examples:\n  flox auth login\n  flox auth login --browser\n  flox auth login --token-file token");
  command->callback([options] { login(*options); });
}

}  // namespace flox::cli
