// What floxd serves to the flox in pods (pod.proto).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "node/floxd/budgets.h"
#include "node/floxd/config.h"
#include "node/floxd/containers.h"
#include "node/floxd/environments.h"
#include "node/floxd/grants.h"
#include "node/floxd/package_names.h"
#include "node/floxd/pod_answers.h"
#include "node/floxd/pod_policy.h"
#include "protocol/pod.pb.h"
#include "ttrpc/peer.h"

namespace flox::node {

// The pod protocol, for the container that the connection belongs to (identify). Thread-safe; calls block.
// Throws Error: untrusted where the container has ended, a budget is used up, or the node's configuration
// forbids installing.
class PodService {
 public:
  PodService(const Config& config, Environments& environments, Containers& containers, KeptPods& kept,
             Budgets& budgets, Grants& grants, PodPolicy& policy)
      : config_(config),
        environments_(environments),
        containers_(containers),
        kept_(kept),
        budgets_(budgets),
        grants_(grants),
        policy_(policy),
        names_(environments) {}

  // The container in which the process runs that has connected; an untrusted Error for one of no container
  // that this floxd has prepared.
  Container identify(const ttrpc::PeerProcess& process) const;

  pod::v1::DefaultEnvironmentResponse default_environment(const pod::v1::DefaultEnvironmentRequest& request,
                                                          const Container& asking);
  pod::v1::ResolveResponse resolve(const pod::v1::ResolveRequest& request, const Container& asking);
  pod::v1::RealiseResponse realise(const pod::v1::RealiseRequest& request, const Container& asking);

  // Throws Error(untrusted) if the container has ended.
  void check_current(const Container& container) const;

 private:
  // The environment that the node gives the namespace; empty if there is none.
  std::string default_of(const Container& container) const;
  pod::v1::ResolveResponse resolve_decided(const pod::v1::ResolveRequest& request, const Container& asking,
                                           PodRequest& asked);
  pod::v1::RealiseResponse realise_decided(const pod::v1::RealiseRequest& request, const Container& asking,
                                           PodRequest& asked);
  // Runs one of these with its request. A denial counts among the refusals.
  template <typename Response, typename Request>
  Response decided(const Request& request, const Container& asking, std::string_view event,
                   Response (PodService::*call)(const Request&, const Container&, PodRequest&));
  // What the node has chosen for the pod and equals what it wants, if anything.
  std::optional<env::Lockfile> granted(const Container& container, const env::Lockfile& wanted,
                                       std::string_view system);
  // The lock that the pod may realise: what the node has chosen for it, or what the policy allows.
  env::Lockfile allowed_lock(const Container& container, const env::Lockfile& wanted, std::string_view system,
                             PodRequest& asked);
  // The locks with which the pod's containers were started, for a floxd that has started since.
  void recall_grants(const Container& container);
  // Whether the pod may install; an Error otherwise.
  void require_install(const Container& container, PodRequest& asked) const;
  const Config& config_;
  Environments& environments_;
  Containers& containers_;
  KeptPods& kept_;
  Budgets& budgets_;
  Grants& grants_;
  PodPolicy& policy_;
  PackageNames names_;
};

}  // namespace flox::node
