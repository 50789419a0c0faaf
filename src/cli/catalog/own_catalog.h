// The directory of a catalog that one person has for themselves (flox catalog serve):
//
//   key, key.pub   the key that signs packages, and its public half
//   token          the operator's token, with which the owner publishes
//   trust, seen    the signed metadata of the owner, and what was seen of it (trust_dir, trust_state_dir)
//   data           flox-catalog's --data
//   config.toml    settings with which flox uses all of that (FLOX_CONFIG)
//   catalog.log    what flox-catalog says
//   lock           held while the catalog is served
//
// What is missing is made, each file as a whole; what is there stays, so that a catalog that is served again
// is the same.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/os/fd.h"
#include "base/settings/write.h"
#include "catalog/client.h"

namespace flox::cli {

class OwnCatalog {
 public:
  // Makes the directory (mode 0700) with key and token, and takes its lock. Throws Error: conflict if it is
  // being served; untrusted if it belongs to another user.
  explicit OwnCatalog(const std::filesystem::path& directory);

  std::filesystem::path file(const char* name) const { return directory_ / name; }
  std::string public_key() const { return public_key_; }
  // What was chosen when it was served before, from its config.toml; empty at first.
  const std::string& known_url() const noexcept { return known_url_; }
  const std::string& known_owner() const noexcept { return known_owner_; }

  // With the catalog running at that URL: begins the owner's signed metadata unless that has been done, hands
  // it over, and writes config.toml.
  void set_up(const std::string& url, const std::string& owner);
  // The settings with which flox uses the catalog.
  std::vector<SettingChange> settings(const std::string& url, const std::string& owner) const;

 private:
  void make_key();
  void make_token();
  void read_known();

  std::filesystem::path directory_;
  Fd lock_;
  std::string public_key_, known_url_, known_owner_;
};

}  // namespace flox::cli
