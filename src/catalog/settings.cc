#include "catalog/settings.h"

#include <cstdlib>

#include "base/error.h"
#include "base/net/url.h"
#include "catalog/credentials.h"

namespace flox::catalog {

Secret CatalogSettings::token_for(const std::string& url) const {
  if (!catalog_token.empty()) return catalog_token;
  if (!catalog_token_file.empty())
    return in_context("catalog_token_file", [&] { return read_secret_file(catalog_token_file); });
  return url.empty() ? Secret() : stored_token(url);
}

Secret stored_token(const std::string& catalog_url) {
  if (std::getenv("HOME") == nullptr && std::getenv("XDG_CONFIG_HOME") == nullptr) return {};
  const Credentials all = Credentials::load(Credentials::default_file());
  const Credential* found = all.find(catalog_url);
  return found == nullptr ? Secret() : found->token;
}

std::string with_token(std::string_view catalog_url, const Secret& token) {
  const std::string url = split_login(catalog_url).first;
  const size_t host = url.find("://");
  if (host == std::string::npos) return url;
  return fmt::format("{}token:{}@{}", url.substr(0, host + 3), url_encode(token.reveal()),
                     url.substr(host + 3));
}

std::string catalog_identity(const std::string& catalog_url) {
  std::string plain = split_login(catalog_url).first;
  while (plain.ends_with('/')) plain.pop_back();
  return plain;
}

std::string cache_url_of(std::string_view catalog_url) {
  while (catalog_url.ends_with('/')) catalog_url.remove_suffix(1);
  return std::string(catalog_url) + "/cache";
}

std::vector<std::string> caches_of(const store::FetchSettings& fetching, const CatalogSettings& catalog) {
  std::vector<std::string> caches = fetching.caches;
  if (!catalog.catalog_url.empty()) caches.insert(caches.begin(), cache_url_of(catalog.catalog_url));
  return caches;
}

}  // namespace flox::catalog
