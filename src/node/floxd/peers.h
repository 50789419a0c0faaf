// Sharing store paths with the floxd of other nodes (docs/explanation/sharing.md): what a realisation is told
// of them, what became of it, and the server that they ask.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/net/server/http_server.h"
#include "node/floxd/config.h"
#include "node/floxd/metrics.h"
#include "store/peers/peer_server.h"
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

// Thread-safe.
class Peers {
 public:
  // Without a key that can be read, nothing is shared, and the log says why. Throws Error if the file in the
  // state directory with what is private cannot be read.
  Peers(const Config& config, const std::filesystem::path& state, const store::LocalStore& store,
        Metrics& metrics);

  // For a realisation; `is_private`: it has a token of somebody's own.
  void add_to(store::RealiseOptions& options, bool is_private);
  // After it.
  void note(const store::RealiseResult& result);
  // Serves until it goes; null if no address is set, or without a key. The store outlives it. Throws Error.
  std::unique_ptr<HttpServer> serve(const store::LocalStore& store);

 private:
  const Config& config_;
  Metrics& metrics_;
  Secret key_;
  store::SharedPaths shared_;
  ShunnedPeers shunned_;
  std::unique_ptr<store::PeerServer> server_;
};

}  // namespace flox::node
