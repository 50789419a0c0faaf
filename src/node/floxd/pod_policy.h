// The policy, as floxd enforces it: decides by node/policy, counts and audits what was decided.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/floxd/audit.h"
#include "node/floxd/config.h"
#include "node/floxd/containers.h"
#include "node/floxd/metrics.h"
#include "node/policy/decision.h"
#include "node/policy/policy_file.h"
#include "node/policy/service_account.h"
#include "store/fetch/realise_options.h"
#include "store/local/local_store.h"

namespace flox::node {

// Thread-safe.
class PodPolicy {
 public:
  // Reads the policy's file and the keys. Throws Error.
  PodPolicy(const Config& config, Metrics& metrics);

  // The service account that the token proves; empty, which the log explains, if it proves none.
  std::string service_account(const policy::PodIdentity& pod, std::string_view token) const;
  // Reads the file again if it has changed, or, with `always`, in any case.
  void look_again(bool always = false);

 private:
  friend class PodRequest;
  Metrics& metrics_;
  policy::PolicyFile file_;
  policy::ServiceAccountKeys keys_;
  AuditLog audit_;
};

// One request of a container, or for one, decided by the policy of one moment. What is required throws
// Error(untrusted) if the policy denies it. Not thread-safe.
class PodRequest {
 public:
  // `event`: what the audit log calls it, a literal.
  PodRequest(PodPolicy& policy, const Container& container, std::string_view event);
  // Audits what was decided, and why the request failed if it did.
  ~PodRequest();
  PodRequest(const PodRequest&) = delete;

  const policy::Terms& terms() const noexcept { return standing_.terms; }
  // There is a policy, so names count.
  bool names_count() const noexcept { return policy_->has_rules(); }
  // Some [[deny]] names owners, so whose each part is counts.
  bool owners_count() const noexcept { return policy::denies_owners(*policy_); }

  // For a container that starts, before the catalog is asked; what its answer decides, require_lock does.
  void require_start(const policy::Start& start);
  // What the pod wants to be prefetched, before the catalog is asked; what its answer decides, require_lock
  // does.
  void require_prefetch(const std::vector<policy::Asked>& asked);
  void require(const policy::Asked& asked);
  // The lock of what the container names, as it was published and as it is to be realised.
  // `chosen` is what is proved of packages whose version the pod has chosen.
  void require_lock(const policy::Asked& wanted, const env::Lockfile& published, const env::Lockfile& lock,
                    const policy::PackageProvenances& chosen);
  // Nothing denies it: what comes as a part of something that is allowed.
  void require_part(const policy::Asked& asked);
  void require_install();
  // A rule must be for the pod.
  void require_standing();

  // The node's limits and the rule's.
  store::RealiseLimits limits(store::RealiseLimits otherwise) const;
  // What a closure must fulfil before it is given out; empty if there is nothing. For the request's life.
  std::function<void(const store::LocalStore&, const nix::StorePathSet&)> closure_check();
  // The same of a closure of that size, bytes, which the store need not have.
  void check_closure(const nix::StorePathSet& closure, uint64_t size);
  // Runs the body; an error that leaves it says which rule limits what it does, if one does.
  nix::StorePath within_limits(const std::function<nix::StorePath()>& body) const;

  // What the pod got.
  void allowed(const store::LocalStore& store, const nix::StorePath& path);
  void allowed(const nix::PathInfo& path);
  void allowed();
  // Why it got nothing.
  void failed(const std::exception& error);
  bool denied() const noexcept { return outcome_ == "denied"; }

 private:
  void check(const policy::Verdict& verdict);
  PodPolicy& owner_;
  std::shared_ptr<const policy::Policy> policy_;
  const Container& container_;
  std::string_view event_;
  policy::Subject subject_;
  policy::Standing standing_;
  // For the audit log.
  std::vector<policy::Asked> asked_;
  policy::Verdict verdict_;
  std::string outcome_;  // allowed, denied, failed
  std::string why_, path_, hash_;
};

// In the words of the policy.
policy::Subject subject_of(const Container& container);

}  // namespace flox::node
