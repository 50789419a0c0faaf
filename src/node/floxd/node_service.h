// What floxd serves to shims (node.proto).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/trace/span.h"
#include "env/activation.h"
#include "node/floxd/config.h"
#include "node/floxd/containers.h"
#include "node/floxd/environments.h"
#include "node/floxd/grants.h"
#include "node/floxd/images.h"
#include "node/floxd/lazy_starts.h"
#include "node/floxd/pod_answers.h"
#include "node/floxd/pod_policy.h"
#include "node/floxd/pod_presence.h"
#include "node/floxd/prefetcher.h"
#include "node/floxd/start_log.h"
#include "node/floxd/store_views.h"
#include "protocol/node.pb.h"

namespace flox::node {

// The node protocol, for shims. Thread-safe; calls block. Throws Error.
class NodeService {
 public:
  NodeService(const Config& config, std::string runtime_path, Environments& environments, Images& images,
              Containers& containers, KeptPods& kept, Prefetcher& prefetches, StoreViews& views,
              ReadOnlyMount& pod_socket, LazyStarts& lazy, Grants& grants, PodPolicy& policy,
              Metrics& metrics, StartLog& starts, trace::SpanSink* spans = nullptr)
      : config_(config),
        runtime_path_(std::move(runtime_path)),
        environments_(environments),
        images_(images),
        containers_(containers),
        kept_(kept),
        prefetches_(prefetches),
        views_(views),
        pod_socket_(pod_socket),
        lazy_(lazy),
        grants_(grants),
        policy_(policy),
        metrics_(metrics),
        starts_(starts),
        spans_(spans) {}
  // Whether the client has gone; may be empty.
  using IsGone = std::function<bool()>;
  // For a client that has gone nothing is kept, though what was fetched stays. When its pod has gone, too,
  // fetching ends. It is a part of the trace `traceparent`, or of one of its own. `start`: what the log of
  // starts has of it; null: it is not there yet, and comes if the container brings an environment.
  v1::PrepareResponse prepare(const v1::PrepareRequest& request, const IsGone& is_gone = {},
                              std::string_view traceparent = {}, std::shared_ptr<StartLog::Start> start = {});
  // Whether the container brings an environment, which may take time.
  static bool takes_time(const v1::PrepareRequest& request) {
    return !request.environment().empty() || !request.image_id().empty() || !request.volumes().empty();
  }
  // Without an environment.
  v1::PrepareResponse prepare_at_once(const v1::PrepareRequest& request) { return prepare(request); }
  v1::ReleaseResponse release(const v1::ReleaseRequest& request);
  // A running container that an earlier floxd has prepared, and that is not known any more: it is leased its
  // profile again. Throws Error.
  void adopt(const v1::PrepareRequest& identity, const std::string& store_directory,
             const std::string& profile);

 private:
  v1::PrepareResponse prepare_logged(const v1::PrepareRequest& request, const IsGone& is_gone);
  // `image`: the container's, if that is an environment; else null. The request names what it is.
  v1::PrepareResponse prepare(const v1::PrepareRequest& request, const EnvironmentImage* image,
                              const IsGone& is_gone);
  // Decided by the policy: `asked`.
  v1::PrepareResponse prepare(const v1::PrepareRequest& request, const EnvironmentImage* image,
                              Container& container, const IsGone& is_gone, PodRequest& asked);
  // `container` gets the view of the store that it has to have, if that is decided here.
  void activate(const v1::PrepareRequest& request, const EnvironmentImage* image, Container& container,
                const IsGone& is_gone, PodRequest& asked, v1::PrepareResponse& response);
  // If the container is to start before its files are there, and can.
  std::optional<LazyStarts::Started> start_lazily(const env::Lockfile& lock, std::string_view mode,
                                                  const v1::PrepareRequest& request,
                                                  const Container& container, const IsGone& is_gone,
                                                  PodRequest& asked);
  // Whether nobody wants any more what is fetched for the request.
  UnderWay::Gone when_gone(const v1::PrepareRequest& request, const IsGone& is_gone);
  // Has the volumes present that are environments.
  void add_volumes(const v1::PrepareRequest& request, const Container& container, const IsGone& is_gone,
                   v1::PrepareResponse& response);
  // The host path to mount for one of them, which the policy allows.
  std::string volume_directory(const EnvironmentImage& image, const v1::PrepareRequest& request,
                               const IsGone& is_gone, PodRequest& asked);
  // The lock of what the container names, or of its image, which the policy allows.
  NamedLock lock_for(const v1::PrepareRequest& request, const EnvironmentImage* image,
                     const env::Variables& variables, const PodAnswers* answers, PodRequest& asked) const;
  // The lock's profile, present and leased to the container.
  nix::StorePath realise(const env::Lockfile& lock, std::string_view mode, const v1::PrepareRequest& request,
                         const IsGone& is_gone, PodRequest& asked);
  // Takes back what was done for the container, unless a later one of its id has come.
  void give_up(const Container& container);
  // All that the container may run: its environment, what its pod has installed, the runtime closure.
  nix::StorePathSet roots_of(const Container& container, const v1::PrepareResponse& response) const;
  const Config& config_;
  std::string runtime_path_;
  Environments& environments_;
  Images& images_;
  Containers& containers_;
  KeptPods& kept_;
  Prefetcher& prefetches_;
  PodPresence presence_;
  StoreViews& views_;
  ReadOnlyMount& pod_socket_;
  LazyStarts& lazy_;
  Grants& grants_;
  PodPolicy& policy_;
  Metrics& metrics_;
  StartLog& starts_;
  trace::SpanSink* const spans_;  // null: nobody records them
};

}  // namespace flox::node
