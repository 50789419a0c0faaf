// What a pod was answered before, as one of its requests to the catalog uses it.
#pragma once

#include <optional>
#include <string>

#include "node/floxd/containers.h"
#include "node/kept/kept_pods.h"

namespace flox::node {

// Not thread-safe; the pods outlive it.
struct PodAnswers {
  // What is asked first: for a container that starts what its pod was answered before, so that it restarts
  // with the same; for what a pod asks itself the catalog.
  enum class First { kept, catalog };

  KeptPods& pods;
  std::string key;  // KeptPod::key()
  First first = First::kept;
  std::string prefetched = {};  // key of prefetched_answers(); empty: none
};

// For a request of the container, or for one; nothing if it is no part of a pod. Makes the pod known.
inline std::optional<PodAnswers> answers_of(KeptPods& pods, const Container& container,
                                            PodAnswers::First first) {
  if (container.pod_id.empty() || container.pod_id == container.id) return std::nullopt;
  KeptPod pod{.pod_namespace = container.pod_namespace,
              .name = container.pod_name,
              .uid = container.pod_uid,
              .sandbox = container.pod_id};
  PodAnswers answers{.pods = pods, .key = pod.key(), .first = first};
  pods.expect(std::move(pod));
  return answers;
}

}  // namespace flox::node
