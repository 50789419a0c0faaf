// Environments in floxd, for shims and pods: resolve, realise, build the profile, lease.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/secret.h"
#include "base/data/sha256.h"
#include "env/lockfile.h"
#include "node/floxd/config.h"
#include "node/floxd/confined_catalog.h"
#include "node/floxd/metrics.h"
#include "node/floxd/pace.h"
#include "node/floxd/peers.h"
#include "node/floxd/under_way.h"
#include "node/shared/store_reader.h"
#include "store/fetch/fetcher.h"
#include "store/local/local_store.h"
#include "store/realise/realise.h"

namespace flox::node {

struct NamedLock {
  std::string name;  // of the environment
  env::Lockfile lock;
  catalog::Origin origin;
  std::optional<int64_t> generation = {};  // of a published environment
};

// Throws Error(invalid_input) unless it is "run" or "dev". It becomes part of the environment, so each text
// would be another one.
void check_mode(std::string_view mode);

// Thread-safe.
class Environments {
 public:
  // `reader`: this node's part in a store that another one writes, and realises in; null: the store is its
  // own.
  Environments(const Config& config, store::LocalStore& store, Peers& peers, Metrics& metrics,
               StoreReader* reader = nullptr)
      : config_(config),
        store_(store),
        reader_(reader),
        peers_(peers),
        metrics_(metrics),
        fetchers_(store::variables_of_caches(config.caches)),
        catalog_(config, fetchers_, metrics),
        pace_(config.prefetch_rate.bytes) {}

  // Resolves a name to store paths with the catalog, or as `pod` was answered before. Throws Error, untrusted
  // if no trusted owner has signed that.
  ConfinedCatalog::Package resolve(std::string_view install_id, const env::InstallDescriptor& descriptor,
                                   std::string_view system, const PodAnswers* pod = nullptr,
                                   const Secret& token = {}) const;
  // The lock of a published environment, "owner/name[:generation]", or of an environment with a single
  // package, "name[@version]", or with a single store path. `token` is somebody's own for the catalog;
  // without one the node's login counts. Throws Error, as above.
  NamedLock lock_of(std::string_view reference, const PodAnswers* pod = nullptr,
                    const Secret& token = {}) const;
  // What was published of the starts of what lock_of() takes; nothing: nothing was, or it is a store path.
  // Throws what ConfinedCatalog::start_profile() throws.
  std::optional<catalog::StartProfile> start_profile(const std::string& reference) const;
  // Tells the catalog what runs here (Reporter).
  void report(const std::string& node, const nlohmann::json& report) const {
    in_context(config_.catalog_url, [&] { catalog_.report(node, report); });
  }
  // How a lock is realised.
  struct Terms {
    Lane lane = Lane::start;  // no request waits for what is realised in another lane
    store::RealiseLimits limits;
    // Called with the closure of the lock's packages when it is present, before the lease; throws to refuse
    // it. May be empty.
    std::function<void(const store::LocalStore&, const nix::StorePathSet&)> check_closure;
    Secret token = {};  // as in lock_of, for the catalog's cache
    // When whoever asked has gone, fetching ends, unless somebody else waits for the same.
    UnderWay::Gone gone = {};
    std::function<void(const store::RealiseProgress&)> on_progress = {};          // as RealiseOptions has it
    std::function<std::filesystem::path(const nix::StorePath&)> unfinished = {};  // the same
  };
  // The limits of a container that starts.
  static store::RealiseLimits limits_of_container();
  // The lock's profile, present in the store and leased to `holder`. Concurrent requests for equal locks are
  // realised once. What was fetched stays whatever comes after, and an Error says how much that is.
  nix::StorePath realise(const env::Lockfile& lock, std::string_view system, std::string_view mode,
                         std::string_view holder, const Terms& terms);

  // Whether the store has all packages of the lock, and so their closures.
  bool has_packages(const env::Lockfile& lock, std::string_view system) const;
  // Whether the store is written by this node.
  bool is_writer() const noexcept { return reader_ == nullptr; }

  // Throws Error(unavailable) if the store's files are another node's, and are not there.
  void require_store() const {
    if (reader_ != nullptr) reader_->require_store();
  }
  // Recovers the store after a stop of the machine; call before the first request (store::recover).
  void recover_store() const;

  // Whether an environment is being fetched or built now for which a pod waits.
  bool busy() const { return under_way_.busy({Lane::start, Lane::pod}); }
  // What is being asked and fetched is stopped, for floxd ends: a catalog that does not answer holds up no
  // restart.
  void stop() {
    under_way_.stop();
    catalog_.stop();
  }
  store::LocalStore& store() const noexcept { return store_; }

 private:
  using Key = Sha256Digest;  // of a lock, its system and its mode
  // The profile of a lock that was realised before, leased; nothing if it must be realised again.
  std::optional<nix::StorePath> lease_known(const Key& key, std::string_view holder);
  template <typename Ask>
  auto asking_catalog(std::string_view what, Ask&& ask) const;
  // realise() where another node writes the store. `paths`: of the lock's packages.
  nix::StorePath realise_at_writer(const Key& key, const env::Lockfile& lock, std::string_view system,
                                   std::string_view mode, std::string_view holder, const Terms& terms,
                                   const nix::StorePathSet& paths);
  // Whether the closure is present, and fulfils what is asked of it; throws if it does not.
  bool passes(const Terms& terms, const nix::StorePathSet& paths) const;
  store::RealiseOptions options_for(const Terms& terms, const std::stop_token& stop);
  const Config& config_;
  store::LocalStore& store_;
  StoreReader* const reader_;
  Peers& peers_;
  Metrics& metrics_;
  store::FetcherPool fetchers_;
  ConfinedCatalog catalog_;
  Pace pace_;
  UnderWay under_way_;
  std::mutex mutex_;
  std::map<Key, nix::StorePath> profiles_;  // what a lock in a mode came to
};

}  // namespace flox::node
