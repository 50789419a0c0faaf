// The store's settings.
#pragma once

#include "base/settings/setting.h"

namespace flox::store {

struct StoreSettings : SettingGroup {
  StoreSettings() : SettingGroup("The store") {}

  std::filesystem::path root =
      declare(root,
              {.key = "root",
               .option = "--root",
               .help = "Root of the store: its files are at ROOT/nix/store, its state at ROOT/nix/var/nix."},
              "/");
  std::chrono::seconds store_lock_timeout =
      declare(store_lock_timeout,
              {.key = "store_lock_timeout",
               .help = "How long to wait while another process holds the lock of the store's database."},
              std::chrono::seconds(60));
};

}  // namespace flox::store
