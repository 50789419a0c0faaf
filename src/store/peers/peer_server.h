// What a floxd gives its peers: the paths of its store and those that it has just fetched, as a binary cache,
// and answers to their questions (docs/formats/peers.md). Who does not have the peers' key gets the same
// refusal for whatever is asked.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "base/data/secret.h"
#include "base/net/server/http_server.h"
#include "nix/signature.h"
#include "store/cache/cache_server.h"
#include "store/local/local_store.h"
#include "store/peers/peer_proof.h"
#include "store/peers/public_paths.h"
#include "store/peers/shared_paths.h"

namespace flox::store {

struct PeerServerOptions {
  PeerKeys keys;
  // What begins so, nodes with a key of their own ask for, if there are such keys; empty: nothing.
  std::string readers_prefix = {};
  // Whatever one of these has signed is public, whether or not that is known of it.
  nix::TrustedKeys public_keys = {};
  size_t questions = 200;  // that one peer may ask in a second
  size_t transfers = 8;    // NARs that are sent at once; half as many to one peer
  uint64_t rate = 0;       // bytes a second, of all NARs together; 0: as fast as it goes
  uint64_t rate_each = 0;  // of those that one peer gets
  std::function<void(uint64_t)> sent = [](uint64_t) {};  // called with bytes of NARs, by any thread
  std::function<void()> refused = [] {};                 // somebody without the key
  std::function<void()> busy = [] {};                    // a peer was told to come later
};

// Lets bytes pass at a rate, whoever sends them. Thread-safe.
class SendingRate {
 public:
  // Bytes a second; 0: no limit.
  explicit SendingRate(uint64_t rate) : rate_(rate) {}
  // Waits until so many more bytes may go. Throws Error(unavailable) once `stop` is requested.
  void pass(uint64_t bytes, const std::stop_token& stop);

 private:
  const uint64_t rate_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::chrono::steady_clock::time_point free_at_{};
};

// Thread-safe; outlives the HttpServer that it answers for.
class PeerServer {
 public:
  // Narinfos are given of what `known` or a signature (public_keys) says is public, and of nothing else.
  PeerServer(const LocalStore& store, const SharedPaths& shared, const PublicPaths& known,
             PeerServerOptions options);

  // The keys that count from now on.
  void set_keys(PeerKeys keys);
  // Whatever is being sent breaks off, and nothing more is sent. Before the HttpServer goes, which waits for
  // it.
  void stop() noexcept { stop_.request_stop(); }

  // For HttpServerOptions::admit: throws StatusError unless the request's head proves that a peer made it.
  void admit(const ServerRequest& request) const { prover(request); }
  // Who that is. Throws as admit().
  PeerProver prover(const ServerRequest& request) const;
  // Throws StatusError unless the body of what was admitted is the one that its head has proved.
  static void require_proved_body(const ServerRequest& request);
  // Answers what was admitted. Throws Error.
  ServerResponse answer(const ServerRequest& request);

 private:
  class Transfer;
  struct Client {
    explicit Client(uint64_t rate) : sending(rate) {}
    size_t transfers = 0;  // under mutex_, as the next
    double questions = 0;  // of the last second, as they run out
    std::chrono::steady_clock::time_point asked{};
    SendingRate sending;
  };

  std::shared_ptr<const PeerKeys> keys() const;
  ServerResponse has(const ServerRequest& request) const;
  void count_question(const std::string& peer);
  std::shared_ptr<Client> client(const std::string& peer);
  ServerResponse nar(const ServerRequest& request, const std::string& name);
  std::shared_ptr<Transfer> begin(const std::string& peer);
  void send_staged(const std::filesystem::path& tree, const std::string& name, const ByteSink& sink) const;

  const LocalStore& store_;
  const SharedPaths& shared_;
  const PeerServerOptions options_;
  mutable std::mutex keys_mutex_;
  std::shared_ptr<const PeerKeys> keys_;  // never null
  std::stop_source stop_;
  const CacheServer cache_;
  SendingRate rate_;
  std::mutex mutex_;
  size_t transfers_ = 0;
  std::map<std::string, std::shared_ptr<Client>> clients_;  // by address
};

}  // namespace flox::store
