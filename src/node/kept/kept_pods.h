// What floxd keeps for each pod of the node while the pod is there, so that its containers restart without
// the catalog (docs/explanation/restarts.md): the catalog's answers to its questions, as they came, and a
// lease on what its containers were started with.
//
//   DIRECTORY/KEY/pod.json       whose it is
//   DIRECTORY/KEY/DIGEST.answer  one answer, by its question: a line of JSON, then the answer's text
//
// KEY is the digest of the pod's namespace, name and uid, so no pod gets what another one was answered, and a
// pod has the same after a restart of the machine. What is read here is not verified: whoever uses an answer
// does that again. Files are replaced whole; one that is damaged counts as missing.
#pragma once  // Not fuzzed: floxd's own files, in a directory of root's; their JSON is parse_json's.

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/os/directory.h"
#include "store/local/local_store.h"

namespace flox::node {

// What the holders of these leases begin with.
inline constexpr std::string_view kept_holder_prefix = "kept-";

struct KeptPod {
  std::string pod_namespace, name;
  std::string uid;        // Kubernetes'; empty: the sandbox is all that it is known by
  std::string sandbox;    // id of its latest
  std::string boot = {};  // in which that sandbox was made: boot_id()

  std::string key() const;
  std::string holder() const { return std::string(kept_holder_prefix) + key(); }
};

// What the catalog answered when this was prefetched, kept as of a pod without a sandbox: pods that start
// with the same reference need not ask again. Whoever has it prefetched ends it (KeptPods::forget).
KeptPod prefetched_answers(const std::string& reference);

// The kernel's id of this boot.
std::string boot_id();

struct KeptAnswer {
  std::string text;
  bool moving = false;          // the question may get another answer some day
  std::chrono::seconds age{0};  // since the catalog gave it
};

struct KeptLimits {
  size_t answers = 64;  // of a pod; the one that was used the longest time ago goes first
  size_t answer_bytes = 4 << 20;
  size_t pod_bytes = 16 << 20;
  size_t pods = 2'000;
  size_t leased = 256;  // profiles of a pod
};

// Thread-safe; one process has a directory. Trouble with the disk is no reason not to start a container: what
// cannot be kept is logged, and counts.
class KeptPods {
 public:
  using Clock = std::function<std::chrono::sys_seconds()>;
  struct Options {
    KeptLimits limits;
    std::function<void()> lost;  // something could not be kept; may be empty
    Clock clock;                 // empty: the system's
  };
  // Reads what is there, removes what is damaged, and ends leases of pods that are not there. Makes the
  // directory. The store must outlive it.
  KeptPods(const std::filesystem::path& directory, const store::LocalStore& store, Options options = {});

  // The pod, whose sandbox is of this boot, asks for something: from now on it is known.
  void expect(KeptPod pod);
  // What the pod was answered to this question; nothing if that is not known.
  std::optional<KeptAnswer> find(const std::string& key, std::string_view question) const;
  // In place of an earlier answer; `age`: since the catalog gave it. Of a pod that is not known, or is
  // forgotten, nothing is kept.
  void keep(const std::string& key, std::string_view question, bool moving, std::string_view answer,
            std::chrono::seconds age = std::chrono::seconds(0));
  // Adds what the pod's container was started with to the pod's lease. It must be valid and stay so until
  // this returns.
  void lease(const std::string& key, const nix::StorePath& profile);
  // The pod is gone: ends its lease, then removes its answers.
  void forget(const std::string& key);

  // Those with a sandbox, and so without what is kept of what was prefetched (prefetched_answers).
  std::vector<KeptPod> pods() const;
  // Keys of these beyond the limit, those first that asked for nothing for the longest time.
  std::vector<std::string> beyond_limit() const;
  // What was written since the last call is on the disk when this returns. Not needed for what a killed floxd
  // leaves, only for a stop of the machine.
  void sync();

 private:
  struct Pod {
    std::mutex mutex;  // held while its files and its lease change
    KeptPod name;
    bool written = false;  // pod.json says all of `name`
    bool forgotten = false;
    std::chrono::steady_clock::time_point used;
  };
  void load();
  void write_pod(Pod& pod) const;
  void make_room(const Directory& answers, size_t bytes) const;
  std::shared_ptr<Pod> of(const std::string& key) const;
  std::vector<std::pair<std::string, std::shared_ptr<Pod>>> all() const;
  void wrote(std::string file) const;
  void report(std::string_view what, const std::exception& error) const;

  Directory directory_;
  const std::string boot_ = boot_id();
  const store::LocalStore& store_;
  Options options_;
  mutable std::mutex mutex_;                          // never held while a pod's is waited for
  std::map<std::string, std::shared_ptr<Pod>> pods_;  // by key
  mutable std::mutex writing_;
  mutable std::vector<std::string> unsynced_;  // files below the directory
};

// One answer, as whoever only looks sees it: without its text.
struct KeptAnswerHead {
  std::string question;
  bool moving = false;
  std::chrono::seconds age{0};
};
// What is kept in the directory now, pod by pod, for the node's doctor. Changes nothing; passes over what
// goes meanwhile.
struct KeptSummary {
  size_t pods = 0, answers = 0;
  std::optional<KeptAnswerHead> oldest_moving;
  KeptPod oldest_moving_of;
};
KeptSummary summary_of_kept(const std::filesystem::path& directory);

// DIRECTORY of the floxd that serves the store below `root`.
std::filesystem::path kept_pods_directory(const std::filesystem::path& root);
// Removes all that is kept below `root`, with the leases, while no floxd runs: for who takes flox off a node.
void remove_kept(const std::filesystem::path& root);

}  // namespace flox::node
