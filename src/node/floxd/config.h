// All that /etc/flox/config.toml and a user's config.toml may hold: flox and floxd read the same file, so
// each of them knows every key.
#pragma once

#include <array>

#include "base/settings/read.h"
#include "catalog/settings.h"
#include "node/floxd/settings.h"
#include "store/fetch/settings.h"
#include "store/local/settings.h"
#include "trust/settings.h"

namespace flox {

struct Config : store::StoreSettings,
                store::FetchSettings,
                catalog::CatalogSettings,
                trust::TrustSettings,
                node::FloxdSettings,
                node::PolicySettings,
                node::PeerSettings,
                node::SharedStoreSettings,
                node::GcSettings,
                node::PrefetchSettings,
                node::PodBudgets {
  // The defaults.
  Config() = default;
  // Reads the files and the variables; from then on own_catalog holds (base/net/own_listener.h). Throws
  // Error as read_settings() does.
  static Config load(SettingsOf whose = SettingsOf::user) { return Config(whose); }

  std::array<SettingGroup*, 11> groups();

 private:
  explicit Config(SettingsOf whose);
};

}  // namespace flox
