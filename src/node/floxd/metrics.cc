#include "node/floxd/metrics.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <vector>

#include "base/confined/sandbox.h"
#include "base/net/server/metrics_page.h"
#include "node/floxd/lease_holders.h"
#include "store/gc/lease.h"
#include "store/local/store_guard.h"
#include "store/maintenance/recovery.h"

namespace flox::node {
namespace {

constexpr size_t error_kinds = 6;
constexpr size_t most_peers_shown = 128;

// From what is there already to what takes a slow link minutes.
const MetricsPage::Histogram::BucketBoundaries stage_seconds = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120};

const MetricsPage::Histogram::BucketBoundaries closure_seconds = {0.25, 0.5, 1,  2.5, 5,
                                                                  10,   30,  60, 300, 1800};

MetricsPage::Histogram::BucketBoundaries wait_bounds() {
  MetricsPage::Histogram::BucketBoundaries seconds;
  for (const uint32_t milliseconds : lazy::WaitTimes::bounds) seconds.push_back(milliseconds / 1000.0);
  return seconds;
}

// What a pod may have: a family with a gauge per budget.
struct UseGauges {
  UseGauges(MetricsPage& page, const std::string& name, const std::string& help)
      : family(page.gauges(name, help)) {}
  void set(const BudgetUse::Pod& use) {
    requests.Set(static_cast<double>(use.requests));
    environments.Set(static_cast<double>(use.environments));
    locks.Set(static_cast<double>(use.locks));
    disk.Set(static_cast<double>(use.disk));
  }

  MetricsPage::Family<MetricsPage::Gauge>& family;
  MetricsPage::Gauge& requests = family.Add({{"budget", "requests"}});
  MetricsPage::Gauge& environments = family.Add({{"budget", "environments"}});
  MetricsPage::Gauge& locks = family.Add({{"budget", "locks"}});
  MetricsPage::Gauge& disk = family.Add({{"budget", "disk"}});
};

}  // namespace

// Counted by prometheus-cpp: floxd at rest has 45 kB more private memory than with counters and text of its
// own, and some 250 kB more resident, most of it the library's file, which is shared.
struct Metrics::Page {
  using Counter = MetricsPage::Counter;
  using Gauge = MetricsPage::Gauge;

  MetricsPage page;
  std::mutex gauges;  // set and written by one request at a time

  Counter& prepares = page.counter("flox_prepare_total", "Containers prepared.");
  std::vector<TracedHistogram*> stages;  // by stage
  Counter& realises = page.counter("flox_realise_total", "Environments realised.");
  Counter& realise_seconds = page.counter("flox_realise_seconds_total", "Seconds spent realising.");
  Counter& paths = page.counter("flox_realise_paths_fetched_total", "Store paths fetched.");
  Counter& bytes = page.counter("flox_realise_bytes_fetched_total", "Compressed bytes fetched.");
  std::vector<Counter*> failures;  // by kind
  Counter* source_paths[3] = {};   // caches, peers, disk
  Counter* source_bytes[2] = {};   // caches, peers
  Counter* peer_failures[2] = {};  // failed, lied
  Counter& peer_sent = page.counter("flox_peer_sent_bytes_total", "Bytes of NARs sent to other nodes.");
  Gauge& writer_heard = page.gauge("flox_store_writer_heard",
                                   "Whether the writer of the shared store answered when this node last "
                                   "asked it; 0 also where there is none.");
  Gauge& store_readers = page.gauge("flox_store_readers", "Nodes that read this node's store.");
  Gauge& peer_listening =
      page.gauge("flox_peer_listening", "Whether floxd serves other nodes at peer_address.");
  MetricsPage::Family<Counter>& reports = page.counters(
      "flox_reports_total", "Reports to the catalog of what runs on the node, by whether they arrived.");
  Counter& reports_sent = reports.Add({{"result", "sent"}});
  Counter& reports_failed = reports.Add({{"result", "failed"}});
  Counter& peer_refused = page.counter("flox_peer_refused_total",
                                       "Requests at the peers' address without proof of the peers' key.");
  Counter& hedges =
      page.counter("flox_peer_hedges_total",
                   "Store paths that the caches were asked for although a peer was to give them.");
  // By address; under `gauges`.
  MetricsPage::Family<Counter>& peer_paths =
      page.counters("flox_peer_received_paths_total", "Store paths that a peer gave, by its address.");
  MetricsPage::Family<Counter>& peer_bytes =
      page.counters("flox_peer_received_bytes_total", "Bytes of NARs that a peer gave, by its address.");
  MetricsPage::Family<Gauge>& peer_shunned =
      page.gauges("flox_peer_shunned", "Whether a peer is not asked for some time, by its address.");
  struct ShownPeer {
    Counter* paths;
    Counter* bytes;
    Gauge* shunned;
    uint64_t heard;
  };
  std::map<std::string, ShownPeer> peers;
  uint64_t peers_heard = 0;
  ShownPeer& peer(const std::string& address) {
    if (!peers.contains(address) && peers.size() == most_peers_shown) {
      const auto oldest =
          std::ranges::min_element(peers, {}, [](const auto& known) { return known.second.heard; });
      peer_paths.Remove(oldest->second.paths);
      peer_bytes.Remove(oldest->second.bytes);
      peer_shunned.Remove(oldest->second.shunned);
      peers.erase(oldest);
    }
    ShownPeer& shown = peers[address];
    if (shown.paths == nullptr)
      shown = {&peer_paths.Add({{"peer", address}}), &peer_bytes.Add({{"peer", address}}),
               &peer_shunned.Add({{"peer", address}}), 0};
    shown.heard = ++peers_heard;
    return shown;
  }
  Counter& peer_busy = page.counter("flox_peer_busy_total",
                                    "Requests of other nodes that were told to come later (peer_transfers).");
  Counter& collections = page.counter("flox_gc_total", "Garbage collections.");
  Counter& collection_failures = page.counter("flox_gc_failures_total", "Garbage collections that failed.");
  Counter& collection_seconds = page.counter("flox_gc_seconds_total", "Seconds spent collecting garbage.");
  Counter& collected_paths = page.counter("flox_gc_paths_removed_total", "Store paths that were collected.");
  Counter& collected_bytes =
      page.counter("flox_gc_bytes_freed_total", "Bytes on the disk that collecting garbage freed.");
  std::vector<Counter*> refusals;  // by budget

  Counter& spans_exported =
      page.counter("flox_spans_exported_total", "Spans that the collector of traces took.");
  Counter& spans_dropped =
      page.counter("flox_spans_dropped_total", "Spans that were lost: no collector took them.");
  Counter& metadata_refused =
      page.counter("flox_metadata_refused_total",
                   "Answers of the catalog that were refused because they are not signed as they must be.");

  struct Kept {
    Counter* used = nullptr;
    Gauge* age = nullptr;
    double oldest = 0;
  };
  Kept fixed, moving;
  std::vector<Counter*> kept_failures;  // by reason
  Gauge& kept_pods =
      page.gauge("flox_kept_pods", "Pods whose answers are kept, so that they restart without the catalog.");

  std::vector<Counter*> prefetch_ends;  // by PrefetchEnd
  MetricsPage::Family<Gauge>& prefetch_states =
      page.gauges("flox_prefetches", "Environments that were asked to be prefetched, by state.");
  std::map<std::string, Gauge*, std::less<>> prefetches;  // by state
  std::vector<std::pair<Gauge*, Gauge*>> lanes;           // running and waiting, by lane

  Counter* lazy_starts[2] = {};  // eager, lazy
  Gauge& lazy_mounts = page.gauge("flox_lazy_mounts", "Mounts whose files come when they are read.");
  Gauge& lazy_unfinished = page.gauge(
      "flox_lazy_unfinished_closures",
      "Closures with which containers were started before they were whole, and that are not whole yet.");
  Gauge& lazy_bytes = page.gauge("flox_lazy_bytes", "Bytes of the files in these mounts.");
  Gauge& lazy_here = page.gauge("flox_lazy_bytes_here", "Bytes of these that need not be fetched any more.");
  Gauge& lazy_waited =
      page.gauge("flox_lazy_reads_waited",
                 "Reads that waited for bytes to come, since the processes began that serve the mounts.");
  Gauge& lazy_seconds = page.gauge("flox_lazy_waited_seconds", "Seconds that these reads waited together.");
  Gauge& lazy_failed = page.gauge("flox_lazy_reads_failed",
                                  "Reads that ended with an error, since the processes began that serve the "
                                  "mounts.");

  std::array<Counter*, 3> lazy_profiles = {};  // by LazyProfile
  Counter& lazy_profile_bytes = page.counter("flox_lazy_profile_bytes_total",
                                             "Bytes of files that start profiles had fetched at once.");
  MetricsPage::Histogram& lazy_ready = page.histogram(
      "flox_lazy_ready_seconds",
      "Time from a start before its files were there until no reader waited for them any more.",
      closure_seconds);
  MetricsPage::Histogram& lazy_whole = page.histogram(
      "flox_lazy_whole_seconds", "Time from such a start until its closure was whole.", closure_seconds);
  MetricsPage::Histogram& lazy_waits = page.histogram(
      "flox_lazy_read_wait_seconds", "How long reads waited for bytes that were not there.", wait_bounds());

  Gauge& nri_connected = page.gauge(
      "flox_nri_connected", "Whether containerd asks floxd about containers of every runtime (nri_socket).");
  Gauge& nri_unprepared =
      page.gauge("flox_nri_unprepared_containers",
                 "Containers that run without their packages, because they were made while floxd was away.");
  std::vector<Counter*> nri_outcomes;

  Counter* allowed = nullptr;
  Counter* denied = nullptr;
  Counter& audit_lost =
      page.counter("flox_audit_lost_total", "Lines of the audit log that could not be written.");
  Gauge& rules = page.gauge("flox_policy_rules", "Rules of the policy that are in force; 0: no policy.");
  Gauge& stale =
      page.gauge("flox_policy_stale",
                 "Whether the policy's file has changed and could not be read: an older one is in force.");

  MetricsPage::Family<Gauge>& root_expires =
      page.gauges("flox_trust_root_expires_timestamp_seconds",
                  "Unix time at which the root of an owner expires whom this machine trusts.");
  std::map<std::string, Gauge*> roots;  // by owner
  Gauge& leases = page.gauge("flox_leases", "Containers and pods that hold a lease.");
  Gauge& isolation =
      page.gauge("flox_isolation_complete",
                 "Whether fetchers are confined by Landlock and seccomp (isolation = \"required\").");
  Gauge& read_only =
      page.gauge("flox_store_read_only", "Whether the store is read-only for floxd but where it installs.");
  Gauge& damaged =
      page.gauge("flox_store_damaged_paths",
                 "Store paths that a stop of the machine has damaged and no cache could repair.");
  Gauge& free_bytes = page.gauge("flox_store_free_bytes", "Bytes free on the store's file system.");
  UseGauges use{page, "flox_pods_use",
                "What all pods together have of each budget: a number, or bytes of locks and disk."};
  UseGauges most_use{page, "flox_pods_most_use", "The most that any one pod has of each budget."};
  Gauge& connections = page.gauge("flox_pods_connections", "Connections of pods now.");

  // Every reason and kind is there from the start, so that a rate over it begins at zero.
  Page() {
    auto& times =
        page.histograms("flox_stage_seconds", "Time of what is done for a container that starts, by stage.");
    for (size_t stage = 0; stage < stage_count; ++stage)
      stages.push_back(&page.traced_histogram(
          "flox_stage_seconds", times, {{"stage", to_string(static_cast<Stage>(stage))}}, stage_seconds));
    auto& failed = page.counters("flox_realise_failures_total", "Failed realisations, by kind.");
    for (size_t kind = 0; kind < error_kinds; ++kind)
      failures.push_back(&failed.Add({{"kind", to_string(static_cast<ErrorKind>(kind))}}));
    auto& paths_of = page.counters("flox_realise_source_paths_total",
                                   "Store paths of realised closures, by where they came from.");
    auto& bytes_of = page.counters("flox_realise_source_bytes_total",
                                   "Bytes fetched, by where they came from; of caches compressed.");
    size_t source = 0;
    for (const char* name : {"cache", "peer", "disk"})
      source_paths[source++] = &paths_of.Add({{"source", name}});
    source = 0;
    for (const char* name : {"cache", "peer"}) source_bytes[source++] = &bytes_of.Add({{"source", name}});
    auto& given_up =
        page.counters("flox_peer_failures_total", "Peers that were given up in a realisation, by reason.");
    peer_failures[0] = &given_up.Add({{"reason", "failed"}});
    peer_failures[1] = &given_up.Add({{"reason", "lied"}});
    auto& used = page.counters("flox_kept_answers_used_total",
                               "Answers of the catalog that a pod had got before and was given again.");
    auto& age = page.gauges("flox_kept_answer_age_seconds",
                            "Age of the oldest of these since floxd started, when it was given.");
    for (auto [kept, reference] : {std::pair(&fixed, "fixed"), std::pair(&moving, "moving")}) {
      kept->used = &used.Add({{"reference", reference}});
      kept->age = &age.Add({{"reference", reference}});
    }
    auto& unkept = page.counters("flox_kept_answers_failures_total",
                                 "Answers that could not be kept, or not be given again, by reason.");
    for (const char* reason : {"unwritten", "refused", "too_old"})
      kept_failures.push_back(&unkept.Add({{"reason", reason}}));
    auto& ends =
        page.counters("flox_prefetch_total",
                      "Environments whose prefetching came to an end, or that pods used, by result.");
    for (const char* result : {"present", "used", "failed", "cancelled", "expired"})
      prefetch_ends.push_back(&ends.Add({{"result", result}}));
    for (const char* state : {"waiting", "fetching", "present", "used", "failed"})
      prefetches.emplace(state, &prefetch_states.Add({{"state", state}}));
    auto& queue =
        page.gauges("flox_realise_queue", "Realisations that run, or wait for their turn, by lane.");
    for (const Lane lane : all_lanes) {
      const std::string name(to_string(lane));
      lanes.emplace_back(&queue.Add({{"lane", name}, {"state", "running"}}),
                         &queue.Add({{"lane", name}, {"state", "waiting"}}));
    }
    auto& lazy = page.counters("flox_lazy_starts_total",
                               "Containers that were to start before their files were there: those that did "
                               "(lazy), and those that waited for all of their files (eager).");
    for (const char* result : {"eager", "lazy"})
      lazy_starts[result[0] == 'l'] = &lazy.Add({{"result", result}});
    auto& profiles = page.counters("flox_lazy_profiles_total",
                                   "Containers that started before their files were there, by whether there "
                                   "was a profile of an earlier start, on this node or published.");
    size_t result_number = 0;
    for (const char* result : {"miss", "hit", "published"})
      lazy_profiles.at(result_number++) = &profiles.Add({{"result", result}});
    auto& outcomes = page.counters("flox_nri_containers_total",
                                   "Containers outside of the runtime handler flox that name an environment, "
                                   "by what became of them.");
    for (const char* outcome : {"prepared", "refused", "waiting"})
      nri_outcomes.push_back(&outcomes.Add({{"outcome", outcome}}));
    auto& decisions =
        page.counters("flox_policy_decisions_total", "Requests of pods that were decided, by decision.");
    allowed = &decisions.Add({{"decision", "allowed"}});
    denied = &decisions.Add({{"decision", "denied"}});
    auto& refused = page.counters("flox_pod_refusals_total",
                                  "What pods, and processes of no pod, were refused, by reason.");
    for (size_t reason = 0; reason < budget_count; ++reason)
      refusals.push_back(&refused.Add({{"reason", to_string(static_cast<Budget>(reason))}}));
  }
};

Metrics::Metrics() : page_(std::make_unique<Page>()) {}
Metrics::~Metrics() = default;

void Metrics::realised(uint64_t paths, uint64_t bytes, double seconds) {
  page_->realises.Increment();
  page_->paths.Increment(static_cast<double>(paths));
  page_->bytes.Increment(static_cast<double>(bytes));
  page_->realise_seconds.Increment(seconds);
}

void Metrics::from_sources(const PathSources& sources) {
  page_->source_paths[0]->Increment(static_cast<double>(sources.paths_of_caches));
  page_->source_paths[1]->Increment(static_cast<double>(sources.paths_of_peers));
  page_->source_paths[2]->Increment(static_cast<double>(sources.paths_from_disk));
  page_->source_bytes[0]->Increment(static_cast<double>(sources.bytes_of_caches));
  page_->source_bytes[1]->Increment(static_cast<double>(sources.bytes_of_peers));
}

void Metrics::peer_failed(bool lied) { page_->peer_failures[lied ? 1 : 0]->Increment(); }
void Metrics::hedged(uint64_t paths) { page_->hedges.Increment(static_cast<double>(paths)); }

void Metrics::peer_gave(const std::string& address, uint64_t paths, uint64_t bytes) {
  const std::lock_guard lock(page_->gauges);
  Page::ShownPeer& shown = page_->peer(address);
  shown.paths->Increment(static_cast<double>(paths));
  shown.bytes->Increment(static_cast<double>(bytes));
}

void Metrics::peers_shunned(const std::vector<std::string>& addresses) {
  const std::lock_guard lock(page_->gauges);
  for (const auto& [address, shown] : page_->peers) shown.shunned->Set(0);
  for (const std::string& address : addresses)
    if (const auto found = page_->peers.find(address); found != page_->peers.end())
      found->second.shunned->Set(1);
}

void Metrics::sent_to_peers(uint64_t bytes) { page_->peer_sent.Increment(static_cast<double>(bytes)); }
void Metrics::peers_served(bool is_listening) { page_->peer_listening.Set(is_listening ? 1 : 0); }
void Metrics::writer_heard(bool is_heard) { page_->writer_heard.Set(is_heard ? 1 : 0); }
void Metrics::store_readers(size_t readers) { page_->store_readers.Set(static_cast<double>(readers)); }
void Metrics::reported(bool sent) { (sent ? page_->reports_sent : page_->reports_failed).Increment(); }
void Metrics::peer_refused() { page_->peer_refused.Increment(); }
void Metrics::peer_busy() { page_->peer_busy.Increment(); }

void Metrics::collected(uint64_t paths, uint64_t bytes, double seconds) {
  page_->collections.Increment();
  page_->collected_paths.Increment(static_cast<double>(paths));
  page_->collected_bytes.Increment(static_cast<double>(bytes));
  page_->collection_seconds.Increment(seconds);
}

void Metrics::failed(ErrorKind kind) { page_->failures.at(static_cast<size_t>(kind))->Increment(); }
void Metrics::collection_failed() { page_->collection_failures.Increment(); }
void Metrics::took(Stage stage, double seconds, std::string trace_id) {
  page_->stages.at(static_cast<size_t>(stage))->observe(seconds, std::move(trace_id));
}
void Metrics::spans(uint64_t exported, uint64_t dropped) {
  page_->spans_exported.Increment(static_cast<double>(exported) - page_->spans_exported.Value());
  page_->spans_dropped.Increment(static_cast<double>(dropped) - page_->spans_dropped.Value());
}
void Metrics::prepared() { page_->prepares.Increment(); }
void Metrics::refused(Budget reason) { page_->refusals.at(static_cast<size_t>(reason))->Increment(); }

void Metrics::kept_used(bool moving, std::chrono::seconds age) {
  Page::Kept& kept = moving ? page_->moving : page_->fixed;
  kept.used->Increment();
  const std::lock_guard lock(page_->gauges);
  kept.oldest = std::max(kept.oldest, static_cast<double>(age.count()));
  kept.age->Set(kept.oldest);
}
void Metrics::kept_failed(KeptFailure reason) {
  page_->kept_failures.at(static_cast<size_t>(reason))->Increment();
}
void Metrics::kept_pods(size_t pods) { page_->kept_pods.Set(static_cast<double>(pods)); }

void Metrics::prefetched(PrefetchEnd end) { page_->prefetch_ends.at(static_cast<size_t>(end))->Increment(); }
void Metrics::prefetches(std::string_view state, size_t number) {
  if (const auto found = page_->prefetches.find(state); found != page_->prefetches.end())
    found->second->Set(static_cast<double>(number));
}
void Metrics::queued(Lane lane, const FairThreads::Use& use) {
  const auto& [running, waiting] = page_->lanes.at(static_cast<size_t>(lane));
  running->Set(static_cast<double>(use.running));
  waiting->Set(static_cast<double>(use.waiting));
}
void Metrics::started_lazily(bool is_lazy) { page_->lazy_starts[is_lazy ? 1 : 0]->Increment(); }
void Metrics::lazy_profile(LazyProfile profile, uint64_t bytes) {
  page_->lazy_profiles.at(static_cast<size_t>(profile))->Increment();
  page_->lazy_profile_bytes.Increment(static_cast<double>(bytes));
}
void Metrics::lazy_ready(double seconds) { page_->lazy_ready.Observe(seconds); }
void Metrics::lazy_whole(double seconds) { page_->lazy_whole.Observe(seconds); }
void Metrics::lazy_waits(const lazy::MountWaits& further) {
  page_->lazy_waits.ObserveMultiple({further.counts.begin(), further.counts.end()},
                                    static_cast<double>(further.micros) / 1e6);
}
void Metrics::lazy_mounts(uint64_t mounts, uint64_t unfinished, uint64_t bytes, uint64_t here,
                          uint64_t waited, double waited_seconds, uint64_t failed) {
  page_->lazy_mounts.Set(static_cast<double>(mounts));
  page_->lazy_unfinished.Set(static_cast<double>(unfinished));
  page_->lazy_bytes.Set(static_cast<double>(bytes));
  page_->lazy_here.Set(static_cast<double>(here));
  page_->lazy_waited.Set(static_cast<double>(waited));
  page_->lazy_seconds.Set(waited_seconds);
  page_->lazy_failed.Set(static_cast<double>(failed));
}
void Metrics::nri_connected(bool connected) { page_->nri_connected.Set(connected ? 1 : 0); }
void Metrics::nri_container(NriOutcome outcome) {
  page_->nri_outcomes.at(static_cast<size_t>(outcome))->Increment();
}
void Metrics::nri_unprepared(size_t containers) {
  page_->nri_unprepared.Set(static_cast<double>(containers));
}

void Metrics::decided(bool allowed) { (allowed ? page_->allowed : page_->denied)->Increment(); }
void Metrics::metadata_refused() { page_->metadata_refused.Increment(); }
void Metrics::audit_lost() { page_->audit_lost.Increment(); }
void Metrics::policy_in_force(size_t rules, bool stale) {
  page_->rules.Set(static_cast<double>(rules));
  page_->stale.Set(stale ? 1 : 0);
}

void Metrics::trusted(const std::map<std::string, std::chrono::sys_seconds>& roots) {
  const std::lock_guard lock(page_->gauges);
  std::erase_if(page_->roots, [&](const auto& known) {
    if (roots.contains(known.first)) return false;
    page_->root_expires.Remove(known.second);
    return true;
  });
  for (const auto& [owner, expires] : roots) {
    auto& gauge = page_->roots[owner];
    if (gauge == nullptr) gauge = &page_->root_expires.Add({{"owner", owner}});
    gauge->Set(static_cast<double>(expires.time_since_epoch().count()));
  }
}

const char* to_string(Stage stage) noexcept {
  switch (stage) {
    case Stage::prepare:
      return "prepare";
    case Stage::resolve:
      return "resolve";
    case Stage::realise:
      return "realise";
    case Stage::lazy:
      return "lazy";
    case Stage::profile:
      return "profile";
    case Stage::activate:
      return "activate";
    case Stage::view:
      return "view";
  }
  return "?";
}

const char* to_string(Budget budget) noexcept {
  switch (budget) {
    case Budget::identity:
      return "identity";
    case Budget::connections:
      return "connections";
    case Budget::message:
      return "message";
    case Budget::requests:
      return "requests";
    case Budget::slow:
      return "slow";
    case Budget::lock_size:
      return "lock_size";
    case Budget::environments:
      return "environments";
    case Budget::locks:
      return "locks";
    case Budget::disk:
      return "disk";
    case Budget::time:
      return "time";
    case Budget::policy:
      return "policy";
  }
  return "?";
}

std::string Metrics::text(const store::LocalStore& store, const BudgetUse& pods, bool open) const {
  const auto leases = store::list_leases(store);
  const auto held = std::ranges::count_if(
      leases, [](const store::Lease& lease) { return ends_with_processes(lease.holder); });
  const bool is_isolated = available_isolation().complete();
  const bool is_guarded = store::store_is_guarded();
  const size_t damaged = store::damaged_paths(store).size();
  struct statvfs disk {};
  const bool has_disk = ::statvfs(store.scratch_directory().c_str(), &disk) == 0;

  const std::lock_guard lock(page_->gauges);
  page_->leases.Set(static_cast<double>(held));
  page_->isolation.Set(is_isolated ? 1 : 0);
  page_->read_only.Set(is_guarded ? 1 : 0);
  page_->damaged.Set(static_cast<double>(damaged));
  if (has_disk)
    page_->free_bytes.Set(static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize));
  page_->use.set(pods.all);
  page_->most_use.set(pods.most);
  page_->connections.Set(static_cast<double>(pods.connections));
  return open ? page_->page.open_text() : page_->page.text();
}

}  // namespace flox::node
