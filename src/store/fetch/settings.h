// The settings of fetching store paths: from where, and signed by whom.
#pragma once

#include "base/settings/setting.h"

namespace flox::store {

struct FetchSettings : SettingGroup {
  FetchSettings() : SettingGroup("Fetching store paths") {}

  std::vector<std::string> caches = declare(
      caches,
      {.key = "caches",
       .help = "URLs of binary caches beside the catalog's own, which is asked first, in the order in which "
               "they are asked.",
       .is_url = true});
  std::vector<std::string> trusted_keys =
      declare(trusted_keys, {.key = "trusted_keys",
                             .option = "--trusted-key",
                             .help = "Public keys (NAME:BASE64) whose signatures are accepted."});
  bool trust_content_addressed = declare(
      trust_content_addressed,
      {.key = "trust_content_addressed",
       .help = "Accept unsigned paths, too, whose content address proves their content (Nix's rule)."},
      false);
};

}  // namespace flox::store
