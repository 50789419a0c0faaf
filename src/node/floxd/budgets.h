// What each pod, and all of them, may have of floxd: environments, the bytes of their locks and closures, and
// work at once (PodBudgets in node/floxd/settings.h). A refusal is a RESOURCE_EXHAUSTED that says the limit,
// and counts in the metrics.
//
// What is kept for a pod is its lease in the store, which outlives floxd; everything here is derived from it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "base/data/sha256.h"
#include "env/lockfile.h"
#include "node/floxd/metrics.h"
#include "node/floxd/settings.h"
#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"

namespace flox::node {

// The digest of what a lock says, however its text is laid out.
Sha256Digest digest_of(const env::Lockfile& lock);

// Thread-safe. A pod is named by the holder of its lease, "pod-ID".
class Budgets {
 public:
  // All of them must outlive it.
  Budgets(const PodBudgets& limits, const store::LocalStore& store, Metrics& metrics);

  // A place among a pod's environments, for one that is being realised: requests at once cannot have more
  // than there are. Given back at its end; what was realised has its own by then.
  class Claim {
   public:
    Claim(Budgets& owner, std::string pod, const Sha256Digest& environment)
        : owner_(owner), pod_(std::move(pod)), environment_(environment) {}
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim() { owner_.give_back(pod_, environment_); }

   private:
    Budgets& owner_;
    std::string pod_;
    Sha256Digest environment_;
  };

  // Before anything is read of a lock. Throws.
  void check_lock_size(std::string_view lock);
  // Before a pod's lock is realised. What is kept for the pod already costs nothing; the same lock in the
  // other mode is another environment. Throws.
  Claim claim(const std::string& pod, const env::Lockfile& lock, std::string_view mode);
  // What a realisation for the pod may fetch, and how long it may take.
  store::RealiseLimits left(const std::string& pod);
  // What was realised and leased for the pod, while its claim lasts.
  void realised(const std::string& pod, const nix::StorePath& profile, const env::Lockfile& lock,
                std::string_view mode);
  // What was fetched for a lock that could not be realised counts as the pod's disk.
  void failed(const std::string& pod, const env::Lockfile& lock, std::string_view system);
  // The pod's lease has ended.
  void forget(const std::string& pod);
  std::set<std::string> pods() const;

  void refused(Budget reason) { metrics_.refused(reason); }
  // Without connections and requests, which others count.
  BudgetUse use() const;

 private:
  struct Kept {
    Sha256Digest digest{};  // of the lock and the mode
    uint64_t lock_size = 0;
  };
  struct Begun {
    size_t requests = 0;
    uint64_t lock_size = 0;
  };
  struct Pod {
    bool keeps(const Sha256Digest& environment) const;
    // With those that are being realised.
    size_t environment_count() const;
    uint64_t lock_bytes() const;

    std::map<nix::StorePath, Kept> environments;
    std::map<Sha256Digest, Begun> begun;
    uint64_t locks = 0;       // bytes
    nix::StorePathSet tried;  // packages of locks that failed: they may have been fetched
    uint64_t disk = 0;        // of the closures of both
  };
  template <typename... Args>
  [[noreturn]] void refuse(Budget reason, const std::string& advice, fmt::format_string<Args...> format,
                           Args&&... args);
  // Whether one more environment fits. Under the mutex. Throws.
  void check_room(const Pod& has, uint64_t lock_size);
  void give_back(const std::string& pod, const Sha256Digest& environment);
  // With what the store has leased to it. Under the mutex.
  Pod& known(const std::string& pod);
  Kept kept_in(const nix::StorePath& profile) const;
  void measure(Pod& pod) const;

  const PodBudgets& limits_;
  const store::LocalStore& store_;
  Metrics& metrics_;
  mutable std::mutex mutex_;
  std::map<std::string, Pod> pods_;
};

}  // namespace flox::node
