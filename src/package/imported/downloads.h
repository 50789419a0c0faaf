// Files of package indexes: kept by their hash in this user's cache, and believed for their hash alone.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/net/http_client.h"
#include "nix/hash.h"

namespace flox::package {

// One thread at a time; other processes may use the same directory.
class Downloads {
 public:
  // `cache` is the directory's name, "pypi": user_cache_directory().
  explicit Downloads(std::string_view cache);

  // The file that has this hash, of at most `limit` bytes. Throws Error: not_found, unavailable; untrusted if
  // what comes has another hash.
  std::filesystem::path file(const std::string& url, const nix::Hash& hash, uint64_t limit);
  // What a server answers now, if the answer has the type that is accepted. Throws Error: not_found,
  // unavailable, invalid_input for another type.
  std::string text(const std::string& url, const std::string& accept, uint64_t limit);

 private:
  std::filesystem::path directory_;
  HttpClient client_;
};

}  // namespace flox::package
