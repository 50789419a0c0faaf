// The settings of those who use the catalog.
#pragma once

#include "base/settings/setting.h"
#include "store/fetch/settings.h"

namespace flox::catalog {

struct CatalogSettings : SettingGroup {
  CatalogSettings() : SettingGroup("The catalog") {}

  std::string catalog_url = declare(catalog_url, {.key = "catalog_url",
                                                  .option = "--catalog-url",
                                                  .help = "URL of the catalog, as in http://HOST:PORT.",
                                                  .is_url = true});
  std::string own_catalog = declare(
      own_catalog,
      {.key = "own_catalog",
       .help = "URL on this machine where a catalog of this user's own listens (flox catalog serve). While a "
               "program of another user listens there instead, nothing is sent to it, no token either.",
       .is_url = true});
  Secret catalog_token = declare(
      catalog_token, {.key = "catalog_token",
                      .help = "Token for publishing to the catalog. Programs that flox starts do not get the "
                              "variable. A file that holds it must be its owner's alone."});
  std::string catalog_token_file = declare(
      catalog_token_file, {.key = "catalog_token_file",
                           .help = "File that holds the token instead, which only its owner may read."});
  std::string signing_private_key = declare(
      signing_private_key,
      {.key = "signing_private_key",
       .help =
           "File with the secret key to sign with, which only its owner may read: flox publish, flox store "
           "copy, sign and serve."});
  std::string owner = declare(
      owner, {.key = "owner",
              .help = "Owner of what flox push and flox publish publish (--owner); it signs what that is "
                      "(flox trust). Packages without an owner are nobody's, and nodes refuse them."});
  std::vector<std::string> metadata_keys =
      declare(metadata_keys,
              {.key = "metadata_keys",
               .help = "Who signs for the owner: files with secret keys, which only their owner may read, or "
                       "exec:COMMAND for a program that signs. Without it: signing_private_key."});

  // The token; or that of its file, which is read at each call; or the one with which the user has logged in
  // to this catalog (credentials.h). Empty if there is none.
  // Throws Error (read_secret_file).
  Secret token() const { return token_for(catalog_url); }
  // The same for the catalog at another URL.
  Secret token_for(const std::string& url) const;
};

// The token with which the user has logged in to that catalog; empty if there is none. Throws Error
// (Credentials::load).
Secret stored_token(const std::string& catalog_url);
// The catalog's URL with the token as its login's password, instead of another login.
std::string with_token(std::string_view catalog_url, const Secret& token);
// The catalog's URL as files name it: without a login and without slashes at its end.
std::string catalog_identity(const std::string& catalog_url);
// The binary cache of the catalog at that URL.
std::string cache_url_of(std::string_view catalog_url);
// Where store paths are fetched from, in this order: the catalog's cache, if there is a catalog, and the
// caches that are set.
std::vector<std::string> caches_of(const store::FetchSettings& fetching, const CatalogSettings& catalog);

}  // namespace flox::catalog
