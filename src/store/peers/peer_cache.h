// One peer as a binary cache: what it is asked is short of time, tried once and signed with the peers' key.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/data/secret.h"
#include "store/cache/http_cache.h"

namespace flox::store {

// However slow the caches are, bytes a second.
inline constexpr uint64_t least_peer_rate = 32 << 10;

// What a peer must be able to do, or the caches are asked instead. Shared by all peers of a realisation.
struct PeerPace {
  // For each byte of a NAR.
  std::atomic<std::chrono::milliseconds> patience = std::chrono::milliseconds(2000);
  std::chrono::milliseconds silence{5000};  // for a connection, and for the answer to a question
  // Bytes of a NAR in a second, on the average of the time in which it was waited for.
  std::atomic<uint64_t> least_rate = least_peer_rate;
  std::atomic<uint64_t> bytes = 0;  // that came from peers in all
};

class PeerCache : public HttpCache {
 public:
  // `address`: HOST:PORT, of an address. The pool outlives it and its transfers.
  PeerCache(const std::string& address, std::shared_ptr<const Secret> key, HttpPool& pool,
            std::shared_ptr<PeerPace> pace);
  std::unique_ptr<BinaryCache> clone() const override;
  // The path's NAR, whatever URL the narinfo says. Its read() throws Error: not_found if the peer does not
  // have it, conflict if it is busy, unavailable if it breaks off, is slower than the pace or cannot be
  // reached.
  std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) override;
  // A request with a body, ready to be sent.
  HttpRequest question(std::string body) const;

 protected:
  void authorise(HttpRequest& request) const override;
  HttpPool& pool() const override { return pool_; }
  RetryPolicy retry() const override { return {.attempts = 1}; }

 private:
  std::shared_ptr<const Secret> key_;
  HttpPool& pool_;
  std::shared_ptr<PeerPace> pace_;
};

// As a peer has it: the file that the CacheServer of any store without compression gives.
nix::NarInfo narinfo_at_peer(const nix::NarInfo& narinfo);

}  // namespace flox::store
