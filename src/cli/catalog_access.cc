#include "cli/catalog_access.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/log.h"
#include "base/net/http_client.h"
#include "base/net/netrc.h"
#include "base/net/url.h"
#include "cli/say.h"
#include "node/floxd/config.h"

namespace flox::cli {
namespace {

// Whoever has logged in fetches as that user, unless there is a login for the server already. The catalog
// looks at the password only.
std::string with_login(const std::string& catalog_url) {
  try {
    const HttpUrl url = HttpUrl::parse(catalog_url);
    if (url.login || netrc_login(url)) return catalog_url;
    const Secret token = catalog::stored_token(catalog_url);
    if (token.empty()) return catalog_url;
    return catalog::with_token(catalog_url, token);
  } catch (const Error& error) {  // whoever opens the cache says it
    log::debug("fetching without the token: {}", error.what());
    return catalog_url;
  }
}

}  // namespace

catalog::Client configured_catalog() {
  const Config config = Config::load();
  return catalog::Client(config.catalog_url, readable_token(config));
}

catalog::Client configured_catalog_with_token() {
  const Config config = Config::load();
  return catalog::Client(config.catalog_url, config.token());
}

void warn_on_stderr(const std::string& warning) { say("! {}\n", warning); }

std::unique_ptr<catalog::VerifiedCatalog> verified_catalog(Secret token, bool remember) {
  return verified_catalog_at(Config::load().catalog_url, std::move(token), remember);
}

std::unique_ptr<catalog::VerifiedCatalog> verified_catalog_at(const std::string& url, Secret token,
                                                              bool remember) {
  return std::make_unique<catalog::VerifiedCatalog>(url, std::move(token), Config::load(), warn_on_stderr,
                                                    remember);
}

Secret readable_token(const Config& config) {
  try {
    return config.token();
  } catch (const Error& error) {  // a file of root's, say: what is public can be read without
    log::debug("reading without the token: {}", error.what());
    return {};
  }
}

std::vector<std::string> readable_caches(const Config& config) {
  std::vector<std::string> caches = catalog::caches_of(config, config);
  if (!config.catalog_url.empty()) caches.at(0) = catalog::cache_url_of(with_login(config.catalog_url));
  return caches;
}

void print_json(const std::vector<catalog::PackageBuild>& builds) {
  nlohmann::json items = nlohmann::json::array();
  for (const auto& build : builds) items.push_back(build.to_json());
  fmt::print("{}\n", items.dump(2));
}

}  // namespace flox::cli
