// What the policy says of a pod's wish. Pure functions of their arguments, thread-safe; some microseconds
// with a hundred rules (bench/policy.sh). floxd and `flox policy test` decide by these and by nothing else.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/answer_verifier.h"
#include "env/lockfile.h"
#include "nix/store_path.h"
#include "node/policy/rules.h"

namespace flox::policy {

// Who asks.
struct Subject {
  std::string pod_namespace;                   // empty: the pod is not Kubernetes'
  std::optional<std::string> service_account;  // nothing: it is not known
  std::string to_string() const;               // "namespace 'shop', service account 'default'"
};

// What the signed metadata of a package or an environment prove. Both are empty where nothing was verified;
// then a rule that asks for a signer or an owner's package denies.
struct Provenance {
  std::string owner;
  std::vector<std::string> signers;  // names and ids of keys
};
// What the verified metadata of an answer prove; nothing of one that nobody has signed.
Provenance provenance_of(const catalog::Origin& origin);
// By the name of the package.
using PackageProvenances = std::map<std::string, Provenance, std::less<>>;

// What a pod asks for.
struct Asked {
  enum class Kind { environment, package, store_path };
  Kind kind = Kind::package;
  std::string name;     // OWNER/NAME; a package's; HASH-NAME
  std::string version;  // of a package; an environment's generation; empty: not known, or the latest
  Provenance provenance;
  // The catalog has answered: what is not known now will not be known.
  bool answered = true;
  std::string to_string() const;  // "package python3@3.11"
};

// What an annotation flox.dev/environment names, OWNER/NAME[:GENERATION], NAME[@VERSION] or a store path,
// before the catalog has answered: of a package the version is not known. Throws Error(invalid_input).
Asked asked_for(std::string_view reference);

struct Verdict {
  bool allowed = true;
  // Denied, only because the catalog has not answered yet: decide again when it has.
  bool undecided = false;
  std::string rule;   // the name of the rule that decided; empty: none did
  std::string place;  // of that rule, "FILE:LINE"; the file where none is for the pod; empty without a policy
  std::string why;    // of a denial, with rule and place: what Kubernetes shows as the pod's event
  std::string advice;
};

// What a pod may have in general: its rule, with the node's settings where that says nothing.
struct Terms {
  const Allow* rule = nullptr;  // the policy's; null: there is no policy, or none for the pod
  bool install = true;
  bool prefetch = true;
  bool nix_mutable = false;
  StoreView store_view = StoreView::node;
  uint64_t closure_size = UINT64_MAX;                // bytes
  std::optional<std::chrono::seconds> realise_time;  // nothing: no limit
};

// The pod's terms; Verdict says no if a [[deny]] of everything is for it, if no [[allow]] is, or if that
// depends on a service account that is not known.
struct Standing {
  Verdict verdict;
  Terms terms;
};
Standing standing_of(const Policy& policy, const Subject& subject);

// Whether the pod may have it: no [[deny]] names it, and the pod's [[allow]] does.
Verdict decide(const Policy& policy, const Subject& subject, const Asked& asked);
// Whether no [[deny]] names it: for what comes as a part of something that is allowed.
Verdict decide_part(const Policy& policy, const Subject& subject, const Asked& asked);
// Whether a container may start with the lock of what it names. A package must be allowed in its version. Of
// an environment that is allowed nothing may be denied; what is not in its lock as it was `published` is a
// version that the pod has chosen (FLOX_PACKAGE_VERSION), and must be allowed as the package that it is;
// `chosen` has what is proved of it. The rest is as the environment's owner has signed it, who answers for
// it.
Verdict decide_lock(const Policy& policy, const Subject& subject, const Asked& wanted,
                    const env::Lockfile& published, const env::Lockfile& lock, std::string_view system,
                    const PackageProvenances& chosen = {});
// The package as the catalog has named it, and what is proved of it.
Asked asked_of(const env::LockedPackage& package, Provenance provenance = {});
// Whether a closure of this size is within the pod's limit.
Verdict decide_size(const Policy& policy, const Subject& subject, uint64_t bytes);
// Whether no [[deny]] names one of the store paths.
Verdict decide_closure(const Policy& policy, const Subject& subject, const nix::StorePathSet& closure);
// Whether some [[deny]] names store paths: only then decide_closure can deny.
bool looks_into_closures(const Policy& policy);
// Whether some [[deny]] names owners: only then the owner of a part counts.
bool denies_owners(const Policy& policy);
// Whether the pod may install packages itself.
Verdict decide_install(const Policy& policy, const Subject& subject);

// Whether the pod may have the node prefetch what it may start with.
Verdict decide_prefetch(const Policy& policy, const Subject& subject);

// A container that is about to start.
struct Start {
  Subject subject;
  std::optional<Asked> environment;  // nothing: it names none
  std::optional<StoreView> store_view;
  bool nix_mutable = false;
};
Verdict decide_start(const Policy& policy, const Start& start);

}  // namespace flox::policy
