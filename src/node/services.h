// The two protocols that floxd serves (node.proto): the node's, to shims, and the pod's, to the flox in pods.
#pragma once

#include <string>

#include "node/containers.h"
#include "node/environments.h"
#include "node/node.pb.h"
#include "node/store_views.h"

namespace flox::node {

// What the shim asks. Thread-safe; calls block. Errors are thrown.
class NodeService {
 public:
  NodeService(const Config& config, std::string runtime_path, Environments& environments,
              Containers& containers, StoreViews& views, Metrics& metrics)
      : config_(config),
        runtime_path_(std::move(runtime_path)),
        environments_(environments),
        containers_(containers),
        views_(views),
        metrics_(metrics) {}
  v1::PrepareResponse prepare(const v1::PrepareRequest& request);
  v1::ReleaseResponse release(const v1::ReleaseRequest& request);

 private:
  void activate(const v1::PrepareRequest& request, v1::PrepareResponse& response);
  bool wants_view(const v1::PrepareRequest& request) const;
  // All that the container may run: its environment, what its pod has installed, the runtime closure.
  nix::StorePathSet roots_of(const Container& container, const v1::PrepareResponse& response) const;
  const Config& config_;
  std::string runtime_path_;
  Environments& environments_;
  Containers& containers_;
  StoreViews& views_;
  Metrics& metrics_;
};

// What a pod asks, for the pod that the peer process belongs to. Thread-safe; calls block. Errors are thrown:
// untrusted for a process of no known pod, and where the node's configuration forbids installing.
class PodService {
 public:
  PodService(const Config& config, Environments& environments, Containers& containers)
      : config_(config), environments_(environments), containers_(containers) {}
  v1::DefaultEnvironmentResponse default_environment(pid_t peer) const;
  v1::ResolveResponse resolve(const v1::ResolveRequest& request, pid_t peer);
  v1::RealiseResponse realise(const v1::RealiseRequest& request, pid_t peer);

 private:
  Container asking(pid_t peer) const;
  // The node's policy for the namespace; empty if there is none.
  std::string default_of(const Container& container) const;
  const Config& config_;
  Environments& environments_;
  Containers& containers_;
};

// Ends the leases of pods and containers none of whose processes run any more.
void sweep_leases(const store::LocalStore& store, Containers& containers);
// Takes away the views of the store that no container uses.
void sweep_views(StoreViews& views, const Containers& containers);

}  // namespace flox::node
