// Asking the catalog from a confined process: floxd itself speaks no HTTP and no TLS outside the node, and
// the catalog's answers are parsed where there is nothing to steal. One process answers all requests of half
// a minute, over connections that it keeps. Its result is a lock, which is parsed once more under the limits
// of base/data/json.h.
#pragma once

#include <string>

#include "base/confined/confined_service.h"
#include "catalog/environment_name.h"
#include "env/lockfile.h"
#include "node/floxd/config.h"
#include "store/fetch/fetcher.h"

namespace flox::node {

// Registers the job; for main(), before run_confined_job().
void add_catalog_job();

// Thread-safe; calls block. All throw what catalog::Client throws, and unavailable if the fetcher died.
class ConfinedCatalog {
 public:
  ConfinedCatalog(const Config& config, store::FetcherPool& fetchers);

  env::LockedPackage resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                             std::string_view system) const;
  env::Lockfile environment(const catalog::EnvironmentName& name) const;

 private:
  env::Lockfile ask(const nlohmann::json& question) const;
  mutable ConfinedService service_;
};

}  // namespace flox::node
