// Containers that start when the names, sizes and links of their closure are there
// (docs/explanation/lazy-files.md): their files' bytes come when they are read, and what the last start of
// the same environment has read comes at once. Meanwhile the closure is realised in the queue's last lane,
// with what has come as a part of it, and becomes valid as any other.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "node/floxd/environments.h"
#include "node/floxd/lazy_progress.h"
#include "node/floxd/published_profiles.h"
#include "node/floxd/realise_queue.h"
#include "node/floxd/store_views.h"
#include "node/floxd/under_way.h"
#include "node/lazy/lazy_mounts.h"
#include "node/lazy/start_profiles.h"

namespace flox::node {

// Thread-safe. What is mounted outlives the object: a floxd that starts again goes on with it.
class LazyStarts {
 public:
  // All must outlive it; the queue must be stopped before it goes, and `ask_catalog` give up. `state`:
  // directory of the mounts' files; `profiles`: of what starts have read; `run`: of what is mounted.
  LazyStarts(const Config& config, Environments& environments, StoreViews& views, RealiseQueue& queue,
             Metrics& metrics, PublishedProfiles::Ask ask_catalog, const std::filesystem::path& state,
             const std::filesystem::path& profiles, const std::filesystem::path& run);
  ~LazyStarts();
  LazyStarts(const LazyStarts&) = delete;
  LazyStarts& operator=(const LazyStarts&) = delete;

  struct Asked {
    const env::Lockfile& lock;
    std::string system, mode;
    std::string reference;  // what was asked for (Environments::lock_of)
    std::string holder;     // of the lease on what is valid
    std::string tenant;
    store::RealiseLimits limits;
    nix::StorePathSet beside;  // valid paths that the container is to see, too
    // Of the closure of the lock's packages and its size, bytes; throws to refuse it. May be empty.
    std::function<void(const nix::StorePathSet&, uint64_t)> check;
    UnderWay::Gone gone;
  };
  struct Started {
    nix::PathInfo profile;
    std::filesystem::path files;  // the profile's, for who reads it now
    StoreViews::View view;        // the container's store
    LazyBegin begin;
    std::shared_ptr<const LazyProgress> progress;  // of all containers of the same view
  };
  // Why a container cannot be started so; it can be started otherwise.
  struct Unsuitable {
    std::string why;
  };
  // Throws Unsuitable; Error for what would fail otherwise, too, and unavailable for a closure of which
  // somebody could not read a part that cannot be had now either: it says which, and why.
  Started start(const Asked& asked);

  // Ends what no container has any more.
  void sweep();
  bool has(const std::string& view) const;
  // What containers that see the store by the view could not read, and why, for people; empty: nothing. Asks
  // for 1.5 seconds at most.
  std::string why_unread(const std::string& view);

  // What there is now.
  struct Status {
    uint64_t mounts = 0;
    uint64_t views = 0;       // closures with which containers were started so
    uint64_t unfinished = 0;  // of these, which are not whole
    lazy::PathsStatus paths;  // of all mounts
  };
  Status status();

 private:
  using Clock = std::chrono::steady_clock;
  // A view, and what it stands for.
  struct Record {
    std::string mount, lock, system, mode, profile, tenant;
    std::vector<nix::StorePath> paths;  // in the mount
    Sha256Digest hash{};                // of the profile's NAR
    bool whole = false;
    // Of one that is not.
    Clock::time_point begun = Clock::now(), due = Clock::now();
    std::chrono::seconds pause{5};      // after an attempt that failed
    uint64_t waited = 0;                // reads, when it was looked last
    std::chrono::milliseconds quiet{};  // without a read that waits, until it is completed
    Clock::time_point quiet_since = Clock::now();
    bool queued = false;
    std::string told;  // what was said last of readers that get errors
    std::shared_ptr<LazyProgress> progress = std::make_shared<LazyProgress>();
  };
  // While it lives, the mount is not ended and none of its paths is dropped.
  class Use;

  struct Found;
  Found find(LazyMount& mount, const Asked& asked, store::LocalStore& store);
  static std::string name_of(const LazyMount& mount, const Found& found, const Asked& asked);
  Started show(const std::string& name, LazyMount& mount, Found& found, const Asked& asked);
  void write(const std::string& name, const Record& record) const;
  void read_records();
  void find_profile(const LazyMount& mount, Found& found, const Asked& asked,
                    const std::vector<nix::StorePath>& packages, const store::LocalStore& store);
  bool is_under_way(const LazyMount& mount, const Asked& asked) const;
  static bool is_of_these(const StartProfile& profile, const std::vector<nix::StorePath>& packages,
                          const store::LocalStore& store);
  static void find_ahead(LazyMount& mount, const Found& found, const std::vector<nix::StorePath>& packages,
                         const store::LocalStore& store);
  void fetch_ahead(const LazyMount& mount, Found& found);
  void remember(const Record& record);
  void run();
  void look(const std::string& name);
  void note_ready(const Record& record, const lazy::PathsStatus& status, bool is_quiet);
  void complete(const std::string& name);
  void count_waits();
  void tell_failures();
  void tell(const std::string& name, const std::string& what);

  const Config& config_;
  Environments& environments_;
  StoreViews& views_;
  RealiseQueue& queue_;
  Metrics& metrics_;
  const std::filesystem::path run_;
  LazyMounts mounts_;
  StartProfiles profiles_;
  PublishedProfiles published_;
  UnderWay under_way_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Record> records_;                        // by view
  std::map<std::string, size_t> in_use_;                         // by mount
  std::map<std::string, std::set<nix::StorePath>> not_dropped_;  // by mount: of views that are gone
  // What the metrics have of each mount's waits; nothing: what an earlier floxd's mount counted before this
  // one began is not theirs. Of sweep() alone.
  std::map<std::string, std::optional<lazy::MountWaits>> waits_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace flox::node
