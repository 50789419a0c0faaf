// Sharing store paths with the floxd of other nodes (docs/explanation/sharing.md): what a realisation is told
// of them, what became of it, and the server that they ask.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/net/server/http_server.h"
#include "node/floxd/config.h"
#include "node/floxd/metrics.h"
#include "node/floxd/path_inquiry.h"
#include "node/shared/store_writer.h"
#include "store/peers/peer_server.h"
#include "store/peers/public_paths.h"
#include "store/peers/shared_paths.h"
#include "store/realise/realise.h"

namespace flox::node {

// Which peers are not asked for some time, because of what they did. Thread-safe.
class ShunnedPeers {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // One that failed is asked again soon, one that lied much later.
  void note(const store::PeerUse& use, Time now);
  std::vector<std::string> at(Time now);

 private:
  std::mutex mutex_;
  std::map<std::string, Time> until_;  // by address
};

// Makes a server as soon as its address is free, and tries again and again while it is not: the node's own
// work does not wait for that. Thread-safe.
class PeerListener {
 public:
  // `make` throws Error(unavailable) while the address cannot be had; what else it throws at the first try is
  // thrown here. `is_listening` is told the result of each try. `stop_sending` ends what the server's streams
  // wait for, so that it can go.
  PeerListener(
      std::function<std::unique_ptr<HttpServer>()> make, std::function<void(bool)> is_listening,
      std::chrono::milliseconds pause, std::function<void()> stop_sending = [] {});
  ~PeerListener();
  PeerListener(const PeerListener&) = delete;
  PeerListener& operator=(const PeerListener&) = delete;
  // Nothing while it does not listen.
  std::optional<uint16_t> port() const;

 private:
  bool try_to_listen();
  void run(const std::stop_token& stop);

  const std::function<std::unique_ptr<HttpServer>()> make_;
  const std::function<void(bool)> is_listening_;
  const std::chrono::milliseconds pause_;
  const std::function<void()> stop_sending_;
  mutable std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::unique_ptr<HttpServer> server_;
  std::jthread thread_;  // while there is no server
};

// Thread-safe.
class Peers {
 public:
  // Without a key that can be read, nothing is shared, and the log says why. The store outlives it.
  Peers(const Config& config, const std::filesystem::path& state, const store::LocalStore& store,
        Metrics& metrics);

  // For a realisation; `is_private`: it has a token of somebody's own.
  void add_to(store::RealiseOptions& options, bool is_private);
  // After it, if it went well; what peers did is noted by the options that add_to() has set.
  void note(const store::RealiseResult& result, bool is_private);
  // Serves until it goes; null if no address is set, or without a key. The store outlives it. While the
  // address is taken, it is tried again after each pause. `writer`: answers the nodes that read this store,
  // and outlives it, too; null: there are none.
  std::unique_ptr<PeerListener> serve(const store::LocalStore& store, StoreWriter* writer = nullptr,
                                      std::chrono::milliseconds pause = std::chrono::seconds(5));
  // The one that this node shows; empty: none.
  Secret key() const;
  // Those of the key file are the ones that count from now on; if it cannot be read, those from before do,
  // and the log says why.
  void read_keys_again();

 private:
  bool has_keys() const;
  void note_use(const std::vector<store::PeerUse>& all, uint64_t cache_rate);

  const Config& config_;
  Metrics& metrics_;
  mutable std::mutex keys_mutex_;
  store::PeerKeys keys_;  // under keys_mutex_
  const nix::TrustedKeys public_keys_;
  store::SharedPaths shared_;
  store::PublicPaths known_;
  ShunnedPeers shunned_;
  std::atomic<uint64_t> cache_rate_ = 0;  // PeerOptions::cache_rate
  std::unique_ptr<store::PeerServer> server_;
  std::optional<PathInquiry> inquiry_;  // on a node that serves others
};

}  // namespace flox::node
