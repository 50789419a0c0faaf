// All that /etc/flox/config.toml may hold: flox and floxd read the same file, so each of them knows every
// key.
#pragma once

#include <array>

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
                node::GcSettings,
                node::PodBudgets {
  // The defaults.
  Config() = default;
  // Reads the file and the variables. Throws Error as read_settings() does.
  static Config load() { return Config(Load{}); }

  std::array<SettingGroup*, 9> groups();

 private:
  struct Load {};
  explicit Config(Load);
};

}  // namespace flox
