// The half of a realisation that may write to the store. It reads nothing that a stranger has written but the
// numbers and names of fetch.proto, each checked by its type; whatever a fetcher says, a path is installed
// only if a trusted key has signed what the installer itself has read on the disk.
#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "store/cache/cache_url.h"
#include "store/cache/narinfo_cache.h"
#include "store/fetch/delta_base.h"
#include "store/fetch/fetch.pb.h"
#include "store/fetch/fetch_messages.h"
#include "store/fetch/progress.h"
#include "store/fetch/realise_options.h"
#include "store/fetch/staging.h"
#include "store/local/local_store.h"
#include "store/local/work_directory.h"
#include "store/local/write_behind.h"
#include "store/peers/peer_group.h"
#include "store/peers/public_paths.h"
#include "store/peers/shared_paths.h"

namespace flox::store {

// One attempt of one realisation. Thread-safe.
class Installer {
 public:
  // With `registered`, that valid path is fetched anew, to mend it: what was registered is what counts, and
  // nothing is installed. Throws Error(invalid_input) for what is no cache's URL.
  Installer(LocalStore& store, const RealiseOptions& options, NarinfoCache& memory,
            std::optional<PathInfo> registered = std::nullopt);

  // What the fetcher is to do. It gets directories of its own, one per worker.
  v1::FetchRequest request(const StorePathSet& paths);
  // Where the fetcher may write.
  const std::vector<fs::path>& directories() const noexcept { return directory_paths_; }

  // The fetcher's calls and notes. Throw Error for what is refused; the fetcher hears it.
  std::string on_call(std::string_view message);
  void on_note(std::string_view message);

  // Nothing more comes from the fetcher: a call that waits for something gives up.
  void on_end() noexcept { over_ = true; }

  // The fetcher has ended well: moves all into the store and registers it. Throws Error(not_found) if another
  // process took a staged tree away.
  void install();

  // Whether the fetcher has come to its end, so that what fails now is installing.
  bool is_complete() const noexcept { return installing_; }

  uint64_t paths_fetched() const;
  uint64_t bytes_fetched() const { return progress_.bytes_fetched(); }
  uint64_t bytes_from_peers() const;
  // Paths that the caches were asked for although a peer was to give them.
  uint64_t hedges() const;
  // Bytes of NARs a second that a cache gives, as far as the fetcher knows; 0: unknown.
  uint64_t cache_rate() const;
  std::vector<PeerUse> peers() const;

 private:
  struct Cache {
    CacheUrl url;
    nix::TrustedKeys keys;
    bool is_remote;
  };
  struct Found {
    nix::NarInfo narinfo;
    bool counted = false;  // in the progress
    bool begun = false;    // begin() was asked for it
    bool shown = false;    // by a cache, as it is to everybody
    std::optional<Staging::Claim> claim;
    std::optional<std::chrono::steady_clock::time_point> busy_since;
  };

  // A cache of the request, or the peers behind the last of them.
  const Cache& cache(uint32_t number) const;
  bool is_peers(const Cache& asked) const noexcept { return has_peers() && &asked == &caches_.back(); }
  bool has_peers() const noexcept { return options_.shared != nullptr && !options_.peers.places.empty(); }
  void note_peer(const v1::Note::PeerUse& use);
  // Those of the paths that are not valid, as messages. Announces them as temporary roots before it looks.
  void want(const StorePathSet& paths, google::protobuf::RepeatedPtrField<v1::Wanted>& wanted);
  v1::OffersAnswer offers(const v1::Call::Offers& offers);
  v1::OfferAnswer offer(const v1::Call::Offer& offer);
  v1::ClaimAnswer claim(const v1::Call::Claim& claim);
  v1::ClaimAnswer::State claim_one(const StorePath& path);
  v1::UnpackedAnswers take_unpacked(const v1::Call::UnpackedTrees& unpacked);
  v1::BeginAnswer begin(const v1::Call::Begin& begin);
  void take_tree(const v1::Call::Unpacked& unpacked, uint64_t decoder_memory);
  void count(Found& found, uint64_t decoder_memory);
  void wait_for_allowance(uint64_t bytes) const;
  bool is_present(const PathInfo& info) const;
  fs::path unfinished(const StorePath& path) const;
  bool has_part(const StorePath& path) const { return !unfinished(path).empty(); }
  bool can_be_delta(const Cache& from, const nix::NarInfo& narinfo) const;

  LocalStore& store_;
  const RealiseOptions& options_;
  NarinfoCache& memory_;
  const std::optional<PathInfo> registered_;
  Staging staging_;
  DeltaBases bases_;
  std::vector<Cache> caches_;
  std::vector<WorkDirectory> directories_;
  std::vector<fs::path> directory_paths_;
  WorkDirectory verifying_;  // out of the fetcher's reach
  std::optional<WriteBehind> write_behind_;
  Progress progress_;

  std::atomic<bool> over_ = false;
  std::optional<SharedPaths::Realisation> shared_;

  mutable std::mutex mutex_;
  std::vector<PeerUse> peers_;
  uint64_t bytes_from_peers_ = 0;
  uint64_t hedges_ = 0;
  uint64_t cache_rate_ = 0;
  StorePathSet seen_;
  StorePathSet wanted_;
  std::map<StorePath, Found> found_;
  uint64_t bytes_announced_ = 0;
  uint64_t paths_fetched_ = 0;
  uint64_t reference_bytes_ = 0;
  uint64_t absences_ = 0;
  uint64_t next_tree_ = 0;
  bool search_is_over_ = false;
  bool installing_ = false;
};

}  // namespace flox::store
