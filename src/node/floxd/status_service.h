// How floxd is and what it does for containers that start (status.proto). Changes nothing.
#pragma once

#include "node/floxd/containers.h"
#include "node/floxd/lazy_starts.h"
#include "node/floxd/realise_queue.h"
#include "node/floxd/start_log.h"
#include "node/kept/kept_pods.h"
#include "protocol/status.pb.h"
#include "store/local/local_store.h"

namespace flox::node {

// What a pod (`asking`) may know is what is done for its namespace; null is the node's operator, who knows
// all. The last 500 of what is asked for.
status::v1::StartsAnswer starts_seen_by(const StartLog& log, const Container* asking,
                                        const status::v1::StartsRequest& request);

// Thread-safe. All that it looks at must outlive it.
class StatusService {
 public:
  StatusService(const store::LocalStore& store, const StartLog& starts, const RealiseQueue& queue,
                const KeptPods& kept, LazyStarts& lazy)
      : store_(store), starts_(starts), queue_(queue), kept_(kept), lazy_(lazy) {}

  // Throws Error.
  status::v1::DaemonAnswer daemon() const;
  status::v1::StartsAnswer starts(const Container* asking, const status::v1::StartsRequest& request) const {
    return starts_seen_by(starts_, asking, request);
  }

 private:
  const store::LocalStore& store_;
  const StartLog& starts_;
  const RealiseQueue& queue_;
  const KeptPods& kept_;
  LazyStarts& lazy_;
  const StartLog::Clock::time_point started_at_ = StartLog::Clock::now();
};

}  // namespace flox::node
