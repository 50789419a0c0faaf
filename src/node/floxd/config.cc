#include "node/floxd/config.h"

#include "base/settings/read.h"

namespace flox {

std::array<SettingGroup*, 9> Config::groups() {
  return {static_cast<store::StoreSettings*>(this),     static_cast<store::FetchSettings*>(this),
          static_cast<catalog::CatalogSettings*>(this), static_cast<trust::TrustSettings*>(this),
          static_cast<node::FloxdSettings*>(this),      static_cast<node::PolicySettings*>(this),
          static_cast<node::PeerSettings*>(this),       static_cast<node::GcSettings*>(this),
          static_cast<node::PodBudgets*>(this)};
}

Config::Config(Load) { read_settings(groups()); }

}  // namespace flox
