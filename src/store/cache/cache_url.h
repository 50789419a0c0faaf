// The URL that names a binary cache, with the settings that its query holds, as Nix has them:
//
//   https://cache.example.org?priority=30&trusted-key=example-1:BASE64&token-file=/etc/flox/token
//   https://cache.example.org?nar-url=https://cdn.example.org/nar
//   s3://bucket?endpoint=http://minio:9000&region=eu-central-1&profile=node
//   file:///srv/cache
#pragma once  // Fuzzed by fuzz/cache_url.cc.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/net/url.h"

namespace flox::store {

struct CacheUrl {
  std::string text;  // as given, without the query and without a login: what messages show
  std::string scheme;
  std::string rest;            // behind "://", without a login
  std::optional<Login> login;  // of http(s)://USER:PASSWORD@…

  std::optional<int> priority;  // priority=N: instead of what nix-cache-info says; lower comes first
  std::vector<std::string>
      trusted_keys;        // trusted-key=NAME:BASE64, repeatable: the only keys that count for this cache
  std::string token_file;  // token-file=FILE: holds the bearer token
  std::vector<std::string>
      nar_urls;  // nar-url=URL, repeatable: where, beside the cache itself, NAR files may be
  std::string region, endpoint, profile;  // of s3://
  std::string s3_scheme = "https";        // scheme=http|https, of s3:// with an endpoint without one

  // Throws Error(invalid_input) for what is not the URL of a cache, and for settings that are not known. No
  // message quotes a login.
  static CacheUrl parse(std::string_view url);
};

}  // namespace flox::store
