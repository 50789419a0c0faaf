// What a realisation is told, and what it tells on the way.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/settings/address.h"
#include "nix/signature.h"
#include "nix/store_path.h"
#include "store/cache/narinfo_cache.h"

namespace flox::store {

class FetcherPool;
class PublicPaths;
class SharedPaths;
struct PeerUse;

// Other nodes that may have what is missing here.
struct PeerOptions {
  std::vector<std::string> places;      // HOST:PORT, where HOST may be a name with several addresses
  std::optional<AddressPort> resolver;  // that is asked for names; unset: the system's
  std::vector<std::string> shunned;     // "ADDRESS:PORT" of peers that are not asked
  std::filesystem::path key_file;       // read_peer_key()
  uint64_t cache_rate = 0;              // bytes of NARs a second that a cache gave before; 0: unknown
  // Called when a fetcher has ended, well or badly, with what peers did and how fast a cache gives by now.
  std::function<void(const std::vector<PeerUse>& use, uint64_t cache_rate)> on_end = {};
};

struct RealiseProgress {
  uint64_t paths_total = 0;
  uint64_t paths_done = 0;
  uint64_t bytes_total = 0;     // compressed, as announced by the caches; 0 where unknown
  uint64_t bytes_fetched = 0;   // compressed, so far; what had to be fetched twice counts twice
  double bytes_per_second = 0;  // of the last seconds; 0 until it is known
  // At that rate; nothing until it is known, and at the end.
  std::optional<std::chrono::seconds> time_left;
  uint64_t decoder_memory = 0;  // bytes, the most that all decoders had at once
};

// Bytes with which every file can be decoded that was compressed with a usual window.
inline constexpr uint64_t least_realise_memory = 28ULL << 20;

// What one realisation may cost. More is refused with an Error that says which limit.
struct RealiseLimits {
  uint64_t paths = 100'000;            // missing ones of the closure
  uint64_t references = 128ULL << 20;  // bytes in memory, of the missing paths' references
  uint64_t disk = UINT64_MAX;          // bytes, the missing paths' NARs
  std::chrono::milliseconds time{std::chrono::hours(24)};  // then the fetcher is ended
};

struct RealiseOptions {
  std::vector<std::string> caches;  // URLs (CacheUrl); by their priorities, then in this order
  nix::TrustedKeys trusted_keys;    // where a cache's URL names none of its own
  // Also accept an unsigned path whose content address proves it (Nix's rule). Off, every fetched path needs
  // a signature: a content address says what the bytes are, not who published them.
  bool trust_content_addressed = false;
  unsigned workers = 0;  // 0: one per core
  // Bytes for what is on its way, whatever the closure and however many workers: a quarter for small files
  // that are fetched ahead, an eighth for the beginnings of large ones, the rest for decoders and what they
  // give. Workers wait for each other where it does not suffice for all; a file that needs more by itself is
  // refused (below 218 MiB some of those with the largest windows, decompress.h).
  uint64_t memory = 256ULL << 20;  // at least least_realise_memory
  NarinfoCacheOptions narinfo_cache;
  bool sync = false;  // return when all is on the disk, not as soon as it is valid (LocalStore::sync)
  std::function<void(const RealiseProgress&)> on_progress;  // called from any worker, one call at a time
  RealiseLimits limits;
  // Whether to fetch where the kernel cannot isolate the fetcher.
  IsolationPolicy isolation = IsolationPolicy::best_effort;
  FetcherPool* fetchers = nullptr;  // started before; null: one is started
  std::stop_token stop = {};        // requested: fetching ends with Error(unavailable); what has come stays
  // Set for what is in no hurry: called before so many bytes of files are read, returns when they may be, or
  // soon after `is_over`. By several threads at once.
  std::function<void(uint64_t bytes, const std::function<bool()>& is_over)> allow = {};
  // Called each time that a path turns out to be claimed by another realisation, for which this one waits.
  std::function<void()> on_busy = {};
  // A file with a part of a path's NAR, which is taken from there (make_delta_tree); an empty path: there is
  // none. By several threads at once.
  std::function<std::filesystem::path(const nix::StorePath&)> unfinished = {};
  PeerOptions peers;
  SharedPaths* shared =
      nullptr;              // what peers are told of; null: nobody is told. Without it no peer is asked.
  bool is_private = false;  // a cache is asked with a token that not everybody here has
  // Gets what the caches have shown without such a token; null: nobody is interested.
  PublicPaths* known_public = nullptr;
};

}  // namespace flox::store
