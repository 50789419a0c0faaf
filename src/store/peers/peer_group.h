// The peers of one realisation, at work: finds their addresses, asks them again and again what they have, and
// gets NARs of them. The fetcher's side (docs/explanation/sharing.md).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/data/secret.h"
#include "base/settings/address.h"
#include "nix/narinfo.h"
#include "store/peers/peer_cache.h"
#include "store/peers/peer_share.h"

namespace flox::store {

// Which nodes have what this one needs. With more, the same ones of them are asked by all.
inline constexpr size_t most_peers = 64;

struct PeerGroupOptions {
  uint64_t self = 0;  // this floxd's number
  Secret key;
  std::vector<std::string> places;      // HOST:PORT, where HOST may be a name with several addresses
  std::optional<AddressPort> resolver;  // that is asked for names; unset: the system's
  std::vector<std::string> shunned;     // "ADDRESS:PORT" of peers that are not asked
  PeerPatience patience;
  bool in_no_hurry = false;  // it prefetches
  uint64_t cache_rate = 0;   // bytes of NARs a second that a cache gave before; 0: unknown
};

// What one peer gave in a realisation.
struct PeerUse {
  std::string address;
  uint64_t paths = 0;
  uint64_t bytes = 0;   // of the NARs that were taken
  bool failed = false;  // it broke off, was too slow or could not be asked
  bool lied = false;    // what it gave was not what was signed
};

// Thread-safe.
class PeerGroup {
 public:
  // Reads nothing and asks nobody yet. Throws Error(invalid_input) for a place that is none.
  explicit PeerGroup(PeerGroupOptions options);
  // Begins to ask; from here on there are threads. stop() ends that.
  void start();
  void stop();
  ~PeerGroup();
  PeerGroup(const PeerGroup&) = delete;
  PeerGroup& operator=(const PeerGroup&) = delete;

  // These are missing here, in the order in which they are to be fetched. Call once.
  void want(const std::vector<const nix::NarInfo*>& missing);
  PeerShare::Choice choose(const nix::PathInfo& info);
  BinaryCache& cache(size_t peer);
  // A choice is followed: the path is under way here.
  void took(const nix::PathInfo& info, const PeerShare::Choice& choice);
  // There is nothing to do but to wait for peers: the name of the path that is to be fetched from the caches
  // all the same, if it is time.
  std::optional<std::string> hedge();
  // Another realisation here fetches it.
  void released(const nix::PathInfo& info);
  // Whom else to ask for a path of which a peer was asked at `since`; From::later: nobody yet.
  PeerShare::Choice second(size_t peer, const nix::PathInfo& info,
                           std::chrono::steady_clock::time_point since);
  // Of two requests for a path, the one to this peer was the slower one; `was_first`: although it was made
  // before the other.
  void overtaken(size_t peer, bool was_first);
  // Whether there is a peer that answers.
  bool is_shared() const;

  // What became of a path that a peer was asked for.
  void gave(size_t peer, const nix::PathInfo& info, std::chrono::steady_clock::duration took);
  void failed(size_t peer, const nix::PathInfo& info, const Error& error);
  void lied(size_t peer, const nix::PathInfo& info, const Error& error);
  // The path is here, from wherever.
  void done(const nix::PathInfo& info);
  // A path came from a cache, that long after it was asked for.
  void cache_gave(std::chrono::steady_clock::duration took);
  // A large NAR of so many bytes came from a cache in that time: a peer should not be much slower.
  void cache_rate(uint64_t bytes, std::chrono::steady_clock::duration took);
  // How to find out how fast a cache is; see PeerPace. Call before the first NAR is fetched.
  void measure_caches(std::function<PeerPace::Beginning(const nix::PathInfo&)> open_beginning);
  // As known by now; 0: unknown.
  uint64_t cache_rate() const;
  // That came from peers in all, whatever became of them.
  uint64_t bytes() const;
  // Paths that the caches were asked for although a peer was to give them.
  uint64_t hedges() const;
  // Complete after stop().
  std::vector<PeerUse> use() const;

  // Asks the peers for the narinfo of a path when no cache answers: one after the other, until one has it.
  // Waits. Nothing if none has it.
  std::optional<std::string> narinfo(const std::string& name);
  // The peer that gave that narinfo. Throws Error(unavailable) if it is given up by now.
  PeerCache& cache_of(const nix::PathInfo& info);

 private:
  bool is_found() const;
  struct State;
  std::shared_ptr<State> state_;  // also its thread's, which may be waiting for a name server
  std::thread thread_;
};

// By what name the peers are spoken of where caches have their URL. No cache is opened by it.
CacheUrl url_of_peers();

// The peers as the last of the caches, which is asked when others do not answer. The group outlives it.
class PeersAsCache : public BinaryCache {
 public:
  explicit PeersAsCache(PeerGroup& group);
  std::unique_ptr<BinaryCache> clone() const override { return std::make_unique<PeersAsCache>(group_); }
  // Nothing that peers say is remembered, and nothing fetched ahead.
  bool is_remote() const noexcept override { return false; }
  using BinaryCache::ask;
  void ask(const std::string& name, std::function<void(CacheAnswer)> done) override;
  std::unique_ptr<NarFile> open_nar(const nix::NarInfo& info, size_t buffer) override;
  // Throws Error: nobody stores anything at peers.
  void put(std::string_view name, const std::filesystem::path& file, std::string_view content_type) override;

 private:
  PeerGroup& group_;
};

}  // namespace flox::store
