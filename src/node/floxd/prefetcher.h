// Fetches environments before a pod needs them (docs/explanation/prefetching.md): what the node's operator,
// the setting `prefetch` and pods have asked for. It waits its turn in the queue's last lane, and what has
// come is leased until a pod uses it, or for a time.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "node/floxd/config.h"
#include "node/floxd/containers.h"
#include "node/floxd/environments.h"
#include "node/floxd/pod_answers.h"
#include "node/floxd/pod_policy.h"
#include "node/floxd/prefetch_disk.h"
#include "node/floxd/realise_queue.h"
#include "node/prefetch/prefetch_record.h"

namespace flox::node {

// Thread-safe. A pod (`asking`) acts for its namespace, and only while it is there; null is the node's
// operator, who sees all and asks for the node.
class Prefetcher {
 public:
  // As Environments::realise(), for this node.
  using Realise = std::function<nix::StorePath(const env::Lockfile& lock, const std::string& holder,
                                               const Environments::Terms& terms)>;
  // All must outlive it; `lane` is stopped before it goes. Goes on with what an earlier floxd was asked for.
  // `realise`: instead of how `environments` does it; null: so. Throws Error.
  Prefetcher(const Config& config, Environments& environments, const Containers& containers, KeptPods& kept,
             PodPolicy& policy, FairThreads& lane, Metrics& metrics, Realise realise = nullptr);

  struct Status {
    PrefetchRecord record;
    store::RealiseProgress progress;  // of one that is being fetched
  };
  // Asks for all of them, or, if one may not be had, for none. `time`: how long fetching may take; 0: as long
  // as the node allows. What is on its way stays so; what is present, too, unless its name may mean something
  // else by now. Throws Error: invalid_input for names and times that cannot be, untrusted where the policy
  // says no, conflict where there are too many.
  std::vector<Status> add(const Container* asking, const std::vector<std::string>& environments,
                          std::chrono::seconds time);
  // Those, or with no names all, in the order in which they were asked for. Throws Error(not_found).
  std::vector<Status> show(const Container* asking, const std::vector<std::string>& environments) const;
  // Ends these, whoever asked for them within the namespace. Throws Error(not_found); then none has ended.
  std::vector<Status> cancel(const Container* asking, const std::vector<std::string>& environments);

  // What the node's configuration lists; takes the place of an earlier list. Names that cannot be are logged.
  void set_list(const std::vector<std::string>& environments);
  // A container has leased the profile.
  void used(const nix::StorePath& profile);
  // Ends the leases of what no pod has used yet, but not those of the list; whether there were any.
  bool give_way();
  // What time brings: attempts that are due, ends of what has waited or been kept too long, or whose pod has
  // gone. To be called every few seconds.
  void tidy();
  // How many there are in each state.
  std::map<PrefetchRecord::State, size_t> counts() const;

 private:
  struct Entry {
    uint64_t id = 0;  // of no other entry, also not of one that had the same key before
    PrefetchRecord record;
    store::RealiseProgress progress;
    std::map<std::string, Container> asking;  // of the record's askers those that are containers
    bool queued = false;
    bool running = false;
  };
  using Entries = std::map<std::string, Entry>;
  // An entry, as it was when fetching it began.
  struct Run {
    std::string key;
    uint64_t id = 0;
    PrefetchRecord record;
    std::optional<Container> container;  // on whose behalf; nothing: the node's
  };

  // All of these under the mutex, without work on the disk.
  void load();
  Entry& ask_for(const std::string& tenant, const std::string& environment, const std::string& asker,
                 int64_t deadline);
  void make_room(const std::string& tenant, const std::set<std::string>& keys);
  void queue(Entry& entry);
  void write(const Entry& entry) { disk_.write(entry.record); }
  void fail(Entry& entry, std::string reason, std::string advice);
  void forget(Entries::iterator entry);
  void forget_gone(Entry& entry) const;
  bool wanted(const Entry& entry) const { return !entry.record.askers.empty(); }
  bool tidy(Entry& entry, int64_t now);
  template <typename Map>
  static auto find(Map& entries, const Container* asking, const std::vector<std::string>& environments);

  // The entry that a run is for, unless it was cancelled; whoever has asked again meanwhile is another one.
  Entry* find_run(const std::string& key, uint64_t id);
  // The same at its end: what a cancelled one has leased is not kept, and the next one may begin.
  Entry* end_run(const Run& run);

  // In the lane.
  void run(const std::string& key);
  nix::StorePath fetch(const Run& run);
  nix::StorePath fetch(const Run& run, PodRequest* asked);
  void settle(const Run& run, const nix::StorePath& profile);
  void settle(const Run& run, const Error& error);
  // Whether fetching it is to end: nobody wants it, it has taken too long, or the disk is needed.
  bool is_to_end(const std::string& key, uint64_t id);
  // Bytes that may be fetched for the tenant. Throws Error if there are none.
  uint64_t room_for(const PrefetchRecord& record) const;
  // On the disk's thread.
  void apply(const std::string& key, const PrefetchDisk::Change& change);

  const Config& config_;
  Environments& environments_;
  const Containers& containers_;
  KeptPods& kept_;
  PodPolicy& policy_;
  FairThreads& lane_;
  Metrics& metrics_;
  const Realise realise_;
  mutable std::mutex mutex_;
  PrefetchRecords records_;
  Entries entries_;  // by key
  uint64_t last_id_ = 0;
  std::set<std::string> running_;                 // keys; of a cancelled one until its run has ended
  std::map<std::string, size_t> by_environment_;  // how many entries an environment has
  std::map<std::string, size_t> by_tenant_;       // and a tenant
  PrefetchDisk disk_;                             // last: its thread uses the others
};

}  // namespace flox::node
