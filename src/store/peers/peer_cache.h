// One peer as a binary cache: what it is asked is short of time, tried once and signed with the peers' key.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "base/data/secret.h"
#include "store/cache/http_cache.h"

namespace flox::store {

// However slow the caches are, bytes a second.
inline constexpr uint64_t least_peer_rate = 32 << 10;

// What a peer must be able to do, or the caches are asked instead. Shared by all peers of a realisation.
class PeerPace {
 public:
  // The beginning of a path's file at a cache, and how many bytes of its NAR that is worth.
  struct Beginning {
    std::unique_ptr<NarFile> file;
    uint64_t bytes = 0;
  };

  // For each byte of a NAR.
  std::atomic<std::chrono::milliseconds> patience = std::chrono::milliseconds(2000);
  std::chrono::milliseconds silence{5000};  // for a connection, and for the answer to a question
  std::atomic<uint64_t> bytes = 0;          // that came from peers in all
  // Begins to fetch the beginning of a path from the cache that has it, to learn how fast that is; no file if
  // it cannot be had. Set before the first NAR is read; by any thread.
  std::function<Beginning(const nix::PathInfo&)> open_beginning;
  std::atomic<bool> is_measuring = false;  // somebody does so

  // So fast a cache was before this realisation, in bytes of NARs a second; 0: nobody knows.
  void expect(uint64_t rate) { cache_rate_ = rate; }
  // A cache has given so many bytes of NARs in that time. Of few the time says nothing.
  void cache_gave(uint64_t bytes, std::chrono::steady_clock::duration took);
  // 0: nobody knows.
  uint64_t cache_rate() const { return cache_rate_; }
  // Bytes of a NAR in a second, on the average of the time in which it was waited for.
  uint64_t least_rate() const { return std::max(least_peer_rate, cache_rate() / 4); }

 private:
  std::atomic<uint64_t> cache_rate_ = 0;
  std::mutex mutex_;
  uint64_t cache_bytes_ = 0;
  double cache_seconds_ = 0;
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
  // The same of a path that no cache gives: however much faster those are.
  std::unique_ptr<NarFile> open_only(const nix::NarInfo& info, size_t buffer);
  // A request with a body, ready to be sent.
  HttpRequest question(std::string body) const;

 protected:
  void authorise(HttpRequest& request) const override;
  HttpPool& pool() const override { return pool_; }
  RetryPolicy retry() const override { return {.attempts = 1}; }

 private:
  std::shared_ptr<HttpTransfer> start(const nix::NarInfo& info, size_t buffer);

  std::shared_ptr<const Secret> key_;
  HttpPool& pool_;
  std::shared_ptr<PeerPace> pace_;
};

// As a peer has it: the file that the CacheServer of any store without compression gives.
nix::NarInfo narinfo_at_peer(const nix::NarInfo& narinfo);

}  // namespace flox::store
