// Tokens of catalogs that the user has logged in to: credentials.json in the user's configuration, mode 0600.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "base/data/secret.h"

namespace flox::catalog {

struct Credential {
  Secret token;
  std::string user;        // as the catalog knows them
  std::string expires_at;  // RFC 3339, UTC; empty: never
};

class Credentials {
 public:
  // $XDG_CONFIG_HOME/flox/credentials.json, or below ~/.config. Throws Error(not_found) if neither is set.
  static std::filesystem::path default_file();
  // What the file has; nothing if it is missing. Throws Error, untrusted if others may read it.
  static Credentials load(const std::filesystem::path& file);

  // Of the catalog at that URL, without a login and final slashes; null if there is none.
  const Credential* find(const std::string& url) const;

  // Change the file as a whole, one process at a time, and make it if it is missing.
  static void put(const std::filesystem::path& file, const std::string& url, const Credential& credential);
  // False if there is none.
  static bool remove(const std::filesystem::path& file, const std::string& url);

 private:
  void save(const std::filesystem::path& file) const;
  std::map<std::string, Credential> by_url_;
};

}  // namespace flox::catalog
