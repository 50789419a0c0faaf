// What should run compared with what does: Deployments, Jobs and Pods as Kubernetes' controllers see them.
// Pure: the supervisor carries the plan out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "kube/pods/pod_record.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/state_dir.h"

namespace flox::kube {

// An object that makes pods, with its variables applied.
struct Workload {
  ObjectKey key;
  std::string generation;
  UnixTime created_at = 0;
  nlohmann::json document;
  Object object;
};

struct RunningPod {
  PodRecord record;
  PodStatus status;
};

struct WorkloadStatus {
  ObjectKey key;
  std::string generation;
  int desired = 0, updated = 0, ready = 0, total = 0;  // pods; updated: of the current template
  bool complete = false;  // as it should be: all ready and none old, or the Job is done
  bool failed = false;    // a Job that has used up its attempts
  std::string message;
};

struct Plan {
  std::vector<PodRecord> create;
  std::vector<std::string> remove;  // uids
  std::vector<WorkloadStatus> workloads;
};

// `pods` are all that exist, those that are going included.
Plan make_plan(const std::vector<Workload>& workloads, const std::vector<RunningPod>& pods, UnixTime now);

nlohmann::json to_json(const WorkloadStatus& status);
WorkloadStatus workload_status_from_json(const nlohmann::json& json);

}  // namespace flox::kube
