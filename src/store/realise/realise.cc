#include "store/realise/realise.h"

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "store/fetch/fetcher.h"
#include "store/fetch/installer.h"
#include "store/maintenance/recovery.h"

namespace flox::store {
namespace {

// Where no floxd syncs the store, the next realisation does, when the kernel has written nearly all of it.
constexpr auto long_written = std::chrono::seconds(60);
constexpr int attempts = 3;  // another process may take a staged tree away

bool all_valid(const LocalStore& store, const nix::StorePathSet& paths) {
  return std::ranges::all_of(paths, [&](const StorePath& path) { return store.is_valid(path); });
}

// What peers did is told whatever becomes of it.
void fetch_with(Installer& installer, const nix::StorePathSet& paths, const RealiseOptions& options,
                std::unique_ptr<ConfinedWorker> worker) {
  const auto tell = [&] {
    if (options.peers.on_end) options.peers.on_end(installer.peers(), installer.cache_rate());
  };
  try {
    run_fetcher(installer, paths, options, std::move(worker));
  } catch (const Error&) {
    tell();
    throw;
  }
  tell();
}

}  // namespace

RealiseResult realise(LocalStore& store, const nix::StorePathSet& paths, const RealiseOptions& options) {
  if (options.memory < least_realise_memory)
    fail(ErrorKind::invalid_input, "realising with {} MiB of memory: at least {} MiB are needed",
         options.memory >> 20, least_realise_memory >> 20);
  store.add_temp_roots(paths);
  recover(store, options.caches);
  RealiseResult result;
  if (!all_valid(store, paths)) {
    auto worker = start_fetcher(options);  // while we prepare its work
    store.sync(long_written);
    remove_abandoned(store.scratch_directory());
    Staging(store).clean();
    NarinfoCache memory(store.state_directory() / "flox/narinfo-cache.sqlite", options.narinfo_cache);
    for (int attempt = 1;; ++attempt) {
      Installer installer(store, options, memory);
      try {
        fetch_with(installer, paths, options, std::move(worker));
        result.paths_fetched += installer.paths_fetched();
        result.bytes_fetched += installer.bytes_fetched();
        result.bytes_from_peers += installer.bytes_from_peers();
        result.hedges += installer.hedges();
        result.peers = installer.peers();
        installer.install();
        break;
      } catch (const Error& error) {
        if (attempt == attempts || error.kind() != ErrorKind::not_found || !installer.is_complete()) throw;
        log::debug("fetching paths again that were collected meanwhile: {}", error.what());
      }
    }
  }
  result.closure = store.closure(paths);
  require_sound(store, result.closure, options.caches);
  if (options.sync) store.sync();
  return result;
}

}  // namespace flox::store
