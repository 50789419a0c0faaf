// Files of package indexes: kept by their hash in this user's cache, and believed for their hash alone.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/net/http_client.h"
#include "base/net/url.h"
#include "nix/hash.h"

namespace flox::package {

// One thread at a time; other processes may use the same directory.
class Downloads {
 public:
  // `cache` is the directory's name, "pypi": user_cache_directory(). `index` is the URL of who says where
  // files are, which may not lead to networks that it is not in itself (base/net/url.h, may_lead).
  Downloads(std::string_view cache, std::string_view index);

  // The file that has this hash, of at most `limit` bytes. Throws Error: not_found, unavailable; untrusted if
  // what comes has another hash, or the index may not lead there.
  std::filesystem::path file(const std::string& url, const nix::Hash& hash, uint64_t limit);
  // What a server answers now, if the answer has the type that is accepted. Throws Error: not_found,
  // unavailable, invalid_input for another type.
  std::string text(const std::string& url, const std::string& accept, uint64_t limit);

 private:
  void require_lead(const std::string& url) const;
  std::filesystem::path directory_;
  HttpUrl index_;
  HttpClient client_;
};

}  // namespace flox::package
