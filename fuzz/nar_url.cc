// Where a narinfo says that its NAR is: it must not lead out of the cache. Input: the URL.
#include "store/cache/nar_url.h"

#include "base/net/url.h"
#include "fuzz.h"

namespace flox::fuzz::of_nar_url {

void one(std::string_view input) {
  constexpr std::string_view base = "https://cache.example.org/cache";
  static const std::vector<std::string> others = {"https://cdn.example.org:8443/nar"};
  std::string resolved;
  if (accepts([&] { resolved = store::resolve_nar_url(base, input, others); }, {ErrorKind::untrusted})) {
    const HttpUrl url = HttpUrl::parse(resolved);
    require(url.origin() == HttpUrl::parse(base).origin() || url.origin() == "https://cdn.example.org:8443",
            "a NAR comes from the cache, or from where its files may be");
    require(url.origin() == HttpUrl::parse(base).origin() || url.target.starts_with("/nar/"),
            "and there from below that directory only");
    require(!url.login && url.target.substr(0, url.target.find('?')).find("/../") == std::string::npos,
            "and from no directory above");
  }
  std::string path;
  if (accepts([&] { path = store::resolve_nar_path(input); }, {ErrorKind::untrusted})) {
    require(!path.empty() && !path.starts_with('/'), "a file of a directory is below it");
    require(("/" + path + "/").find("/../") == std::string::npos, "however its name is written");
  }
}

}  // namespace flox::fuzz::of_nar_url
