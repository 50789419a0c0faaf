// A node's side of a shared store: what floxd does where another node's floxd realises
// (docs/explanation/shared-store.md).
//
// The store's files are the writer's, on a mount. The node's database and leases are its own, below its root,
// and have what the writer has answered and the node has leased, no more: so everything else works as with a
// store of the node's own.
//
//   STATE/shared/instance        what tells this reader from another one of the same name
//   STATE/shared/identity        by what the writer's store is known: its path, then the text
//   STATE/shared/lease-time      seconds; the file's time is when the writer last knew all leases of the node
//   STATE/shared/profiles/KEY    link: what a lock came to, so that its pods restart without the writer
#pragma once

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/data/sha256.h"
#include "node/shared/shared_mount.h"
#include "node/shared/writer_client.h"
#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"

namespace flox::node {

// Thread-safe.
class StoreReader {
 public:
  struct Options {
    std::filesystem::path state;
    std::chrono::milliseconds patience{5000};       // of the mount
    std::chrono::seconds pause{30};                 // between two times that the writer is told of the leases
    std::function<void(bool)> heard = [](bool) {};  // whether the writer has answered, each time
  };
  // The store outlives it. Asks nobody.
  StoreReader(store::LocalStore& store, WriterClient::Options writer, Options options);
  ~StoreReader();
  StoreReader(const StoreReader&) = delete;
  StoreReader& operator=(const StoreReader&) = delete;

  // The runtime closure of the writer, or the one that it last had if it does not answer. Call it before the
  // rest; from now on the writer is told of the leases. Throws Error.
  nix::StorePath begin();

  // Throws Error(unavailable) unless the mount is there and is the writer's store.
  void require_store();

  // What the lock came to, if this node's lease on it holds: leased to `holder` without asking the writer.
  std::optional<nix::StorePath> lease_held(const Sha256Digest& key, std::string_view holder);

  // What the writer is to realise.
  struct Work {
    Sha256Digest key;
    std::string lock;
    std::string_view system, mode, lane;
    store::RealiseLimits limits;
    std::function<bool()> is_over;  // nobody wants it any more
    std::function<void(const store::RealiseProgress&)> on_progress;
    // Called with the store when all is there, before the lease; throws to refuse it. May be empty.
    std::function<void(const store::LocalStore&)> check;
  };
  // Has the writer realise and lease it for this node; leased to `holder` here. Throws Error.
  nix::StorePath realise(const Work& work, std::string_view holder);

  // Tells the writer what is leased, and forgets here what is not. Throws Error.
  void tell();

 private:
  void run(const std::stop_token& stop);
  void learn(const shared::v1::HelloAnswer& answer);
  StoreIdentity identity() const;
  bool is_held() const;
  void set_told(std::time_t time) const;
  std::filesystem::path profile_link(const Sha256Digest& key) const;
  void forget_what_is_not_leased();

  store::LocalStore& store_;
  const WriterClient client_;
  const Options options_;
  const std::filesystem::path directory_;
  SharedMount mount_;
  std::optional<nix::StorePath> runtime_;
  mutable std::mutex mutex_;  // held while leases of what is registered are made and counted
  nix::StorePathSet held_;    // that the writer keeps for this node, as far as this node knows
  size_t arriving_ = 0;       // realisations whose paths are registered and not leased yet
  std::jthread thread_;
};

}  // namespace flox::node
