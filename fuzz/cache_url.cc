// URLs of binary caches, as configurations, catalogs and command lines name them; and HTTP's URLs, as
// redirects and narinfos do.
#include "store/cache/cache_url.h"

#include <optional>

#include "fuzz.h"

namespace flox::fuzz::of_cache_url {

void one(std::string_view input) {
  std::optional<HttpUrl> url;
  if (accepts([&] { url = HttpUrl::parse(input); })) {
    const HttpUrl again = HttpUrl::parse(url->to_string());
    require(again.origin() == url->origin() && again.target == url->target,
            "a URL is written as it was read");
    require(!again.login, "a URL is written without its login");
    require(url->target.starts_with('/') && url->port != 0, "a URL has a target and a port");
  }
  const auto [without, login] = split_login(input);
  require(login.has_value() || without == input, "a URL without a login stays as it is");

  std::optional<store::CacheUrl> cache;
  if (!accepts([&] { cache = store::CacheUrl::parse(input); })) return;
  require(cache->text.find('?') == std::string::npos, "what messages show has no settings");
  if (cache->scheme == "http" || cache->scheme == "https")
    require(!HttpUrl::parse(cache->text).login, "nor a login");
  for (const std::string& nar_url : cache->nar_urls)
    require(accepts([&] { HttpUrl::parse(nar_url); }), "where NARs may be is a URL");
}

}  // namespace flox::fuzz::of_cache_url
