// Asking the catalog from a confined process: floxd itself speaks no HTTP and no TLS outside the node, and
// the catalog's answers are parsed where there is nothing to steal. One process answers all requests of half
// a minute, over connections that it keeps. Its result is parsed once more here, under the limits of
// base/data/json.h, and verified here: whoever takes the process over can show nothing that no owner has
// signed.
#pragma once

#include <string>

#include "base/confined/confined_service.h"
#include "catalog/answer_verifier.h"
#include "catalog/environment_name.h"
#include "env/lockfile.h"
#include "node/floxd/config.h"
#include "store/fetch/fetcher.h"

namespace flox::node {

// Registers the job; for main(), before run_confined_job().
void add_catalog_job();

// Thread-safe; calls block. All throw what catalog::Client throws, untrusted for what no trusted owner has
// signed (catalog::AnswerVerifier), and unavailable if the fetcher died.
class ConfinedCatalog {
 public:
  ConfinedCatalog(const Config& config, store::FetcherPool& fetchers);

  struct Package {
    env::LockedPackage package;
    catalog::Origin origin;
  };
  // `token` is somebody's own for the catalog; without one the login in its URL or in netrc counts.
  Package resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                  std::string_view system, const Secret& token = {}) const;
  struct Environment {
    int64_t generation = 0;
    env::Lockfile lock;
    catalog::Origin origin;
  };
  Environment environment(const catalog::EnvironmentName& name, const Secret& token = {}) const;

 private:
  nlohmann::json ask(nlohmann::json question, const Secret& token = {}) const;
  std::optional<std::string> root(const std::string& owner, uint64_t version) const;
  mutable ConfinedService service_;
  mutable catalog::AnswerVerifier verifier_;
};

}  // namespace flox::node
