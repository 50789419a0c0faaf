#include "store/cache/cache_url.h"

#include <algorithm>
#include <charconv>
#include <tuple>

#include "base/error.h"
#include "base/net/http_client.h"
#include "base/printable.h"

namespace flox::store {
namespace {

// Nix's own settings that change nothing for who only reads, or that we deal with by ourselves.
constexpr std::string_view ignored[] = {"compression",         "want-mass-query",  "parallel-compression",
                                        "write-nar-listing",   "multipart-upload", "compression-level",
                                        "secret-key",          "local-nar-cache",  "index-debug-info",
                                        "path-info-cache-size"};

int number(std::string_view name, std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::invalid_input, "{}: '{}' is not a number", name, text);
  return value;
}

void set(CacheUrl& url, const std::string& name, std::string value) {
  if (name == "priority")
    url.priority = number(name, value);
  else if (name == "trusted-key")
    url.trusted_keys.push_back(std::move(value));
  else if (name == "token-file")
    url.token_file = std::move(value);
  else if (name == "nar-url") {
    HttpUrl::parse(value);
    url.nar_urls.push_back(std::move(value));
  } else if (name == "region")
    url.region = std::move(value);
  else if (name == "endpoint")
    url.endpoint = std::move(value);
  else if (name == "profile")
    url.profile = std::move(value);
  else if (name == "scheme")
    url.s3_scheme = std::move(value);
  else if (std::find(std::begin(ignored), std::end(ignored), name) == std::end(ignored))
    throw Error(ErrorKind::invalid_input,
                fmt::format("'{}' is not a setting of a binary cache", printable(name, 100)),
                "Use priority, trusted-key, token-file or nar-url, and for s3:// region, endpoint, scheme "
                "and profile.");
}

}  // namespace

CacheUrl CacheUrl::parse(std::string_view text) {
  const auto complain = [&] {
    throw Error(
        ErrorKind::invalid_input,
        fmt::format("'{}' is not the URL of a binary cache",
                    text.find("://") == std::string_view::npos ? printable(text, 200) : printable_url(text)),
        "Write a URL that starts with http://, https://, s3:// or file:///.");
  };
  CacheUrl url;
  const size_t question = text.find('?');
  std::string_view query =
      question == std::string_view::npos ? std::string_view() : text.substr(question + 1);
  std::tie(url.text, url.login) = split_login(text.substr(0, question));
  while (url.text.ends_with('/') && !url.text.ends_with("//")) url.text.pop_back();
  const size_t colon = url.text.find("://");
  if (colon == std::string::npos) complain();
  url.scheme = url.text.substr(0, colon);
  url.rest = url.text.substr(colon + 3);
  const bool known =
      url.scheme == "http" || url.scheme == "https" || url.scheme == "s3" || url.scheme == "file";
  if (!known || url.rest.empty() || (url.scheme == "file" && !url.rest.starts_with('/'))) complain();
  if (url.login && url.scheme != "http" && url.scheme != "https") complain();
  if (url.scheme == "http" || url.scheme == "https")
    in_context("a binary cache", [&] { HttpUrl::parse(url.text); });
  in_context(fmt::format("cache {}", url.text), [&] {
    while (!query.empty()) {
      const std::string_view pair = query.substr(0, query.find('&'));
      query.remove_prefix(std::min(pair.size() + 1, query.size()));
      const size_t equals = pair.find('=');
      if (pair.empty()) continue;
      set(url, url_decode(pair.substr(0, equals)),
          equals == std::string_view::npos ? std::string() : url_decode(pair.substr(equals + 1)));
    }
  });
  return url;
}

}  // namespace flox::store
