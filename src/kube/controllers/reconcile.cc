#include "kube/controllers/reconcile.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;
using Pods = std::vector<const RunningPod*>;

PodRecord new_pod(const Workload& owner, const json& document, const std::string& hash, UnixTime now) {
  PodRecord record;
  record.uid = random_uid();
  record.owner_kind = owner.key.kind;
  record.owner_name = owner.key.name;
  record.template_hash = hash;
  record.created_at = now;
  record.document = document;
  record.object = read_object(document, to_string(owner.key));
  return record;
}

PodRecord pod_of_template(const Workload& owner, const std::string& prefix, const std::string& hash,
                          UnixTime now) {
  const std::string name = prefix.substr(0, 57) + "-" + random_suffix();
  return new_pod(owner,
                 pod_document(owner.document.at("spec").at("template"), owner.key.namespace_, name, hash),
                 hash, now);
}

// Which pods to give up first: those that are not ready, then the youngest.
void order_for_removal(Pods& pods) {
  std::stable_sort(pods.begin(), pods.end(), [](const RunningPod* a, const RunningPod* b) {
    return std::make_pair(a->status.ready(), -a->record.created_at) <
           std::make_pair(b->status.ready(), -b->record.created_at);
  });
}

void plan_rolling(const Workload& workload, const Deployment& deployment, const std::string& hash, Pods fresh,
                  Pods old, UnixTime now, Plan& plan) {
  const int replicas = deployment.replicas;
  int surge = deployment.max_surge.of(replicas, true),
      unavailable = deployment.max_unavailable.of(replicas, false);
  if (surge == 0 && unavailable == 0) unavailable = 1;
  const int fresh_count = static_cast<int>(fresh.size()), total = fresh_count + static_cast<int>(old.size());

  const int wanted = replicas - fresh_count;
  const int room = old.empty() ? wanted : std::min(wanted, replicas + surge - total);
  for (int i = 0; i < room; ++i)
    plan.create.push_back(pod_of_template(workload, workload.key.name + "-" + hash, hash, now));
  order_for_removal(fresh);
  for (int i = 0; i < -wanted; ++i) plan.remove.push_back(fresh[i]->record.uid);

  // Old pods go as far as enough ready ones remain; first those that are not ready, for they serve nobody.
  const int fresh_ready = static_cast<int>(
      std::count_if(fresh.begin(), fresh.end(), [](const auto* pod) { return pod->status.ready(); }));
  const int old_ready = static_cast<int>(
      std::count_if(old.begin(), old.end(), [](const auto* pod) { return pod->status.ready(); }));
  int may_go = total - (replicas - unavailable) - (fresh_count - fresh_ready);
  int ready_may_go = fresh_ready + old_ready - (replicas - unavailable);
  order_for_removal(old);
  for (const RunningPod* pod : old) {
    int& budget = pod->status.ready() ? ready_may_go : may_go;
    if (budget <= 0) continue;
    --budget;
    plan.remove.push_back(pod->record.uid);
  }
}

void plan_deployment(const Workload& workload, const Pods& mine, UnixTime now, Plan& plan) {
  const Deployment& deployment = std::get<Deployment>(workload.object.body);
  const std::string hash = template_hash(workload.document.at("spec").at("template"));
  Pods fresh, old;
  int going = 0;
  WorkloadStatus status{workload.key, workload.generation};
  for (const RunningPod* pod : mine) {
    if (pod->status.terminating) {
      ++going;
    } else if (pod->status.finished()) {
      plan.remove.push_back(pod->record.uid);
    } else {
      (pod->record.template_hash == hash ? fresh : old).push_back(pod);
      status.ready += pod->status.ready() && pod->record.template_hash == hash;
    }
  }
  status.desired = deployment.replicas;
  status.updated = static_cast<int>(fresh.size());
  status.total = static_cast<int>(mine.size());
  status.complete =
      status.updated == status.desired && status.ready == status.desired && status.total == status.desired;
  plan.workloads.push_back(status);
  if (deployment.recreate && (!old.empty() || going > 0)) {
    for (const RunningPod* pod : old) plan.remove.push_back(pod->record.uid);
    return;
  }
  plan_rolling(workload, deployment, hash, fresh, old, now, plan);
}

UnixTime finished_at(const PodStatus& pod) {
  UnixTime latest = 0;
  for (const auto* list : {&pod.init_containers, &pod.containers})
    for (const auto& container : *list) latest = std::max(latest, container.finished_at);
  return latest;
}

void plan_job(const Workload& workload, const Pods& mine, UnixTime now, Plan& plan) {
  const Job& job = std::get<Job>(workload.object.body);
  const std::string hash = template_hash(workload.document.at("spec").at("template"));
  WorkloadStatus status{workload.key, workload.generation};
  Pods active;
  int succeeded = 0, failed = 0, restarts = 0;
  UnixTime last_failure = 0;
  for (const RunningPod* pod : mine) {
    if (pod->status.terminating) continue;
    if (pod->record.template_hash != hash) {  // the Job was changed: it starts over
      plan.remove.push_back(pod->record.uid);
      continue;
    }
    ++status.total;
    if (pod->status.phase == "Succeeded") {
      ++succeeded;
    } else if (pod->status.phase == "Failed") {
      ++failed;
      last_failure = std::max(last_failure, finished_at(pod->status));
    } else {
      active.push_back(pod);
      restarts += pod->status.restarts();
    }
  }
  status.desired = job.completions;
  status.ready = succeeded;
  status.updated = succeeded;
  status.complete = succeeded >= job.completions;
  const bool late =
      job.active_deadline && !status.complete && now - workload.created_at > job.active_deadline->count();
  status.failed = !status.complete &&
                  (failed > job.backoff_limit || (restarts > 0 && restarts >= job.backoff_limit) || late);
  if (status.failed)
    status.message = late ? "the Job was active longer than its activeDeadlineSeconds"
                          : "the Job has reached its backoffLimit";
  plan.workloads.push_back(status);
  if (status.failed || status.complete) {
    for (const RunningPod* pod : active) plan.remove.push_back(pod->record.uid);
    return;
  }
  // After a failure 10 s, then twice as long each time, up to 6 minutes.
  if (failed > 0 && now < last_failure + std::min<int64_t>(10LL << std::min(failed - 1, 10), 360)) return;
  const int wanted = std::min(job.parallelism, job.completions - succeeded) - static_cast<int>(active.size());
  for (int i = 0; i < wanted; ++i)
    plan.create.push_back(pod_of_template(workload, workload.key.name, hash, now));
}

void plan_pod(const Workload& workload, const Pods& mine, UnixTime now, Plan& plan) {
  const std::string hash = template_hash(workload.document);
  WorkloadStatus status{workload.key, workload.generation};
  status.desired = 1;
  status.total = static_cast<int>(mine.size());
  for (const RunningPod* pod : mine) {
    if (pod->status.terminating) continue;
    if (pod->record.template_hash != hash) {
      plan.remove.push_back(pod->record.uid);
      continue;
    }
    status.updated = 1;
    status.ready = pod->status.ready() || pod->status.phase == "Succeeded";
    status.failed = pod->status.phase == "Failed";
  }
  status.complete = status.ready == 1 && status.total == 1;
  plan.workloads.push_back(status);
  // Pods keep their name: the old one must be gone before the new one can come.
  if (mine.empty()) plan.create.push_back(new_pod(workload, workload.document, hash, now));
}

}  // namespace

Plan make_plan(const std::vector<Workload>& workloads, const std::vector<RunningPod>& pods, UnixTime now) {
  Plan plan;
  std::set<std::string> owned;
  for (const auto& workload : workloads) {
    Pods mine;
    for (const auto& pod : pods)
      if (pod.record.owner_kind == workload.key.kind && pod.record.owner_name == workload.key.name &&
          pod.record.namespace_() == workload.key.namespace_) {
        mine.push_back(&pod);
        owned.insert(pod.record.uid);
      }
    if (workload.key.kind == "Deployment")
      plan_deployment(workload, mine, now, plan);
    else if (workload.key.kind == "Job")
      plan_job(workload, mine, now, plan);
    else
      plan_pod(workload, mine, now, plan);
  }
  for (const auto& pod : pods)
    if (!owned.contains(pod.record.uid) && !pod.status.terminating) plan.remove.push_back(pod.record.uid);
  return plan;
}

json to_json(const WorkloadStatus& status) {
  return {{"kind", status.key.kind},     {"namespace", status.key.namespace_},
          {"name", status.key.name},     {"generation", status.generation},
          {"desired", status.desired},   {"updated", status.updated},
          {"ready", status.ready},       {"total", status.total},
          {"complete", status.complete}, {"failed", status.failed},
          {"message", status.message}};
}

WorkloadStatus workload_status_from_json(const json& json) {
  WorkloadStatus status;
  status.key = {json.at("kind"), json.at("namespace"), json.at("name")};
  status.generation = json.at("generation");
  status.desired = json.at("desired");
  status.updated = json.at("updated");
  status.ready = json.at("ready");
  status.total = json.at("total");
  status.complete = json.at("complete");
  status.failed = json.at("failed");
  status.message = json.at("message");
  return status;
}

}  // namespace flox::kube
