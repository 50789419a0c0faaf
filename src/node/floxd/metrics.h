// floxd's metrics, in Prometheus' text format.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "base/error.h"
#include "lazy/read_counts.h"
#include "node/floxd/realise_queue.h"
#include "node/nri/nri_plugin.h"
#include "store/local/local_store.h"

namespace flox::node {

// What a pod can run out of, or be refused for.
enum class Budget {
  identity,      // it is no pod of this node's
  connections,   // too many at once
  message,       // over what the pod socket takes
  requests,      // too many at once
  slow,          // a request that does not arrive, an answer that is not read
  lock_size,     // of one lock
  environments,  // kept for the pod, or for all pods
  locks,         // bytes of their locks
  disk,          // bytes of their closures
  time,          // of one request
  policy,        // a rule, or pod_install = false
};
inline constexpr size_t budget_count = 11;
const char* to_string(Budget budget) noexcept;

// Why a pod does not restart with what it was answered before.
enum class KeptFailure {
  unwritten,  // it could not be kept, or read again
  refused,    // it is not signed any more as it must be
  too_old,    // moving_answer_age
};

// How something that was to be prefetched came to an end, or changed hands.
enum class PrefetchEnd {
  present,  // it has come
  used,     // by a pod, for the first time
  failed,
  cancelled,  // or its pods have gone
  expired,    // no pod has used it in time, or the disk was full
};

// What floxd does for a container that starts. A part that is not needed takes no time and is not counted.
enum class Stage {
  prepare,   // all of it
  resolve,   // what its reference means: the catalog's answer, or the one that the pod had
  realise,   // having its store paths present and valid
  lazy,      // instead: having their names, sizes and links
  profile,   // the tree of links to its packages
  activate,  // its variables and its process
  view,      // the store as it is to see it
};
inline constexpr size_t stage_count = 7;
const char* to_string(Stage stage) noexcept;

// What pods have now.
struct BudgetUse {
  struct Pod {
    size_t requests = 0;
    size_t environments = 0;
    uint64_t locks = 0;
    uint64_t disk = 0;
  };
  size_t connections = 0;
  Pod all;   // of all pods
  Pod most;  // of any one pod, the most of each
};

// Where the paths of a closure came from.
struct PathSources {
  uint64_t paths_of_caches = 0, paths_of_peers = 0, paths_from_disk = 0;
  uint64_t bytes_of_caches = 0, bytes_of_peers = 0;  // of caches compressed
};

// What is known of earlier starts when a container starts before its files are there; in the order of
// flox_lazy_profiles_total's results.
enum class LazyProfile : uint8_t { none, own, published };

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  void realised(uint64_t paths, uint64_t bytes, double seconds);
  void failed(ErrorKind kind);
  void from_sources(const PathSources& sources);
  // A peer was given up in a realisation; `lied`: it gave what was not signed.
  void peer_failed(bool lied);
  // Paths that the caches were asked for although a peer was to give them.
  void hedged(uint64_t paths);
  // What a peer gave in a realisation. Of most_peers_shown, the ones that were heard of longest ago go.
  void peer_gave(const std::string& address, uint64_t paths, uint64_t bytes);
  // Those that are not asked for some time.
  void peers_shunned(const std::vector<std::string>& addresses);
  void sent_to_peers(uint64_t bytes);
  // Whether floxd listens at peer_address.
  void peers_served(bool is_listening);
  // Whether the writer of the shared store has answered when it was last asked.
  void writer_heard(bool is_heard);
  // How many nodes read this node's store.
  void store_readers(size_t readers);
  // The catalog was told what runs here, or could not be.
  void reported(bool sent);
  // Somebody without the peers' key asked.
  void peer_refused();
  // A peer was told to come later.
  void peer_busy();
  void collected(uint64_t paths, uint64_t bytes, double seconds);
  void collection_failed();
  void prepared();
  // `trace_id`: in hexadecimal, if the start is recorded as a trace; else empty.
  void took(Stage stage, double seconds, std::string trace_id = {});
  // A container that was to start before its files are there did so, or waited for them all the same.
  void started_lazily(bool is_lazy);
  // Of one that did so: whether there was what earlier starts have read, and so many bytes of that were
  // fetched at once.
  void lazy_profile(LazyProfile profile, uint64_t bytes);
  // So long after such a start no reader waited any more, or its closure was whole.
  void lazy_ready(double seconds);
  void lazy_whole(double seconds);
  void lazy_waits(const lazy::MountWaits& further);
  // What comes when it is read: `here` of `bytes`; what readers waited for since the mounts began.
  void lazy_mounts(uint64_t mounts, uint64_t unfinished, uint64_t bytes, uint64_t here, uint64_t waited,
                   double waited_seconds, uint64_t failed);
  // A pod, or a process outside any pod, was refused something.
  void refused(Budget reason);
  // The policy, or where there is none the node's settings, let a pod have what it asked for, or did not.
  void decided(bool allowed);
  // A pod's request was answered with what the pod was answered before, of that age.
  void kept_used(bool moving, std::chrono::seconds age);
  void kept_failed(KeptFailure reason);
  void kept_pods(size_t pods);
  void prefetched(PrefetchEnd end);
  // How many are in a state ("waiting"), a literal.
  void prefetches(std::string_view state, size_t number);
  // How much runs and waits in a lane of the queue.
  void queued(Lane lane, const FairThreads::Use& use);
  // How many rules are in force, and whether the file on the disk is another one that could not be read.
  void policy_in_force(size_t rules, bool stale);
  // An answer of the catalog was refused: not signed as it must be.
  void metadata_refused();
  // A line of the audit log could not be written.
  void audit_lost();
  // Until when the roots of the owners are valid whom this machine trusts.
  void trusted(const std::map<std::string, std::chrono::sys_seconds>& roots);
  // Whether containerd has floxd as a plugin now.
  void nri_connected(bool connected);
  void nri_container(NriOutcome outcome);
  // How many containers run without their packages: seen when containerd last told of all.
  void nri_unprepared(size_t containers);
  // Spans that the collector of traces took, and that were lost, since the start.
  void spans(uint64_t exported, uint64_t dropped);
  // Counters, and the gauges as they stand in the store and with the pods now.
  // `open`: in OpenMetrics' format, with exemplars.
  std::string text(const store::LocalStore& store, const BudgetUse& pods, bool open = false) const;

 private:
  struct Page;
  std::unique_ptr<Page> page_;
};

}  // namespace flox::node
