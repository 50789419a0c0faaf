#include "catalog/settings.h"

#include "base/error.h"

namespace flox::catalog {

Secret CatalogSettings::token() const {
  if (!catalog_token.empty() || catalog_token_file.empty()) return catalog_token;
  return in_context("catalog_token_file", [&] { return read_secret_file(catalog_token_file); });
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
