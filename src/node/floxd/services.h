// The two protocols that floxd serves: the node's (node.proto), to shims, and the pod's (pod.proto), to the
// flox in pods.
#pragma once

#include <string>

#include "node/floxd/budgets.h"
#include "node/floxd/containers.h"
#include "node/floxd/environments.h"
#include "node/floxd/grants.h"
#include "node/floxd/store_views.h"
#include "protocol/node.pb.h"
#include "protocol/pod.pb.h"
#include "ttrpc/peer.h"

namespace flox::node {

// The node protocol, for shims. Thread-safe; calls block. Throws Error.
class NodeService {
 public:
  NodeService(const Config& config, std::string runtime_path, Environments& environments,
              Containers& containers, StoreViews& views, Grants& grants, Metrics& metrics)
      : config_(config),
        runtime_path_(std::move(runtime_path)),
        environments_(environments),
        containers_(containers),
        views_(views),
        grants_(grants),
        metrics_(metrics) {}
  v1::PrepareResponse prepare(const v1::PrepareRequest& request);
  v1::ReleaseResponse release(const v1::ReleaseRequest& request);

 private:
  void activate(const v1::PrepareRequest& request, const Container& container, v1::PrepareResponse& response);
  bool wants_view(const v1::PrepareRequest& request) const;
  // All that the container may run: its environment, what its pod has installed, the runtime closure.
  nix::StorePathSet roots_of(const Container& container, const v1::PrepareResponse& response) const;
  const Config& config_;
  std::string runtime_path_;
  Environments& environments_;
  Containers& containers_;
  StoreViews& views_;
  Grants& grants_;
  Metrics& metrics_;
};

// The pod protocol, for the container that the connection belongs to (identify). Thread-safe; calls block.
// Throws Error: untrusted where the container has ended, a budget is used up, or the node's configuration
// forbids installing.
class PodService {
 public:
  PodService(const Config& config, Environments& environments, Containers& containers, Budgets& budgets,
             Grants& grants)
      : config_(config),
        environments_(environments),
        containers_(containers),
        budgets_(budgets),
        grants_(grants) {}

  // The container in which the process runs that has connected; an untrusted Error for one of no container
  // that this floxd has prepared.
  Container identify(const ttrpc::PeerProcess& process) const;

  pod::v1::DefaultEnvironmentResponse default_environment(const pod::v1::DefaultEnvironmentRequest& request,
                                                          const Container& asking);
  pod::v1::ResolveResponse resolve(const pod::v1::ResolveRequest& request, const Container& asking);
  pod::v1::RealiseResponse realise(const pod::v1::RealiseRequest& request, const Container& asking);

 private:
  void check_current(const Container& container) const;
  // The node's policy for the namespace; empty if there is none.
  std::string default_of(const Container& container) const;
  // What the pod gets where it may not install: what the node has chosen for it, or an Error.
  env::Lockfile granted(const Container& container, const env::Lockfile& wanted, std::string_view system);
  // The locks with which the pod's containers were started, for a floxd that has started since.
  void recall_grants(const Container& container);
  [[noreturn]] void forbid(const Container& container) const;
  const Config& config_;
  Environments& environments_;
  Containers& containers_;
  Budgets& budgets_;
  Grants& grants_;
};

// Ends the leases of pods and containers without running processes, and forgets such pods.
void sweep_leases(const store::LocalStore& store, Containers& containers, Budgets& budgets, Grants& grants);
// Removes the views of the store that no container uses.
void sweep_views(StoreViews& views, const Containers& containers);

}  // namespace flox::node
