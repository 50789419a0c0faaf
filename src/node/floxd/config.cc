#include "node/floxd/config.h"

#include "base/error.h"
#include "base/net/own_listener.h"

namespace flox {

std::array<SettingGroup*, 11> Config::groups() {
  return {static_cast<store::StoreSettings*>(this),     static_cast<store::FetchSettings*>(this),
          static_cast<catalog::CatalogSettings*>(this), static_cast<trust::TrustSettings*>(this),
          static_cast<node::FloxdSettings*>(this),      static_cast<node::PolicySettings*>(this),
          static_cast<node::PeerSettings*>(this),       static_cast<node::SharedStoreSettings*>(this),
          static_cast<node::GcSettings*>(this),         static_cast<node::PrefetchSettings*>(this),
          static_cast<node::PodBudgets*>(this)};
}

Config::Config(SettingsOf whose) {
  read_settings(groups(), whose);
  if (!own_catalog.empty()) in_context("own_catalog", [&] { require_own_server(own_catalog); });
}

}  // namespace flox
