#include "kube/reading/workload_reader.h"

#include "kube/reading/pod_reader.h"

namespace flox::kube {
namespace {

constexpr FieldRule selector_rules[] = {
    {"matchExpressions", Treatment::refused, "only matchLabels is supported here"},
};

constexpr FieldRule deployment_rules[] = {
    {"revisionHistoryLimit", Treatment::silent},
    {"progressDeadlineSeconds", Treatment::silent},
    {"minReadySeconds", Treatment::noted, "a pod counts as available once it is ready", "0"},
    {"paused", Treatment::refused, "a rollout cannot be paused here", "false"},
};

constexpr FieldRule job_rules[] = {
    {"ttlSecondsAfterFinished", Treatment::noted, "a finished Job stays until `down`"},
    {"suspend", Treatment::refused, "a Job cannot be suspended here", "false"},
    {"completionMode", Treatment::refused, "only NonIndexed is supported here", "NonIndexed"},
    {"backoffLimitPerIndex", Treatment::refused, "indexed Jobs are not supported here"},
    {"maxFailedIndexes", Treatment::refused, "indexed Jobs are not supported here"},
    {"podFailurePolicy", Treatment::refused, "only backoffLimit is supported here"},
    {"successPolicy", Treatment::refused, "only completions is supported here"},
    {"podReplacementPolicy", Treatment::noted, "a failed pod is replaced when it has ended"},
    {"managedBy", Treatment::refused, "there is no other controller here", "kubernetes.io/job-controller"},
    {"manualSelector", Treatment::refused, "a Job's pods are told by their owner here", "false"},
    {"selector", Treatment::refused, "a Job's pods are told by their owner here"},
};

StringMap read_selector(Fields& spec) {
  if (!spec.has("selector")) spec.reject("selector", "is missing");
  return spec.map(
      "selector", [](Fields& selector) { return selector.text_map("matchLabels"); }, selector_rules);
}

CountOrPercent read_count(Fields& fields, const char* key) {
  std::string text = fields.integer_or_text(key);
  CountOrPercent count{25, true};
  if (text.empty()) return count;
  count.percent = text.ends_with("%");
  if (count.percent) text.pop_back();
  const auto value = parse_quantity(text, false);
  if (!value || *value > 1000000) fields.reject(key, "expected a number or a percentage");
  count.value = static_cast<int>(*value);
  return count;
}

void read_strategy(Fields& strategy, Deployment& deployment) {
  deployment.recreate = strategy.word("type", {"RollingUpdate", "Recreate"}) == "Recreate";
  strategy.map("rollingUpdate", [&](Fields& rolling) {
    deployment.max_surge = read_count(rolling, "maxSurge");
    deployment.max_unavailable = read_count(rolling, "maxUnavailable");
  });
}

Deployment read_deployment_spec(Fields& spec) {
  Deployment deployment;
  deployment.replicas = static_cast<int>(spec.integer("replicas", 0, 10000).value_or(1));
  deployment.selector = read_selector(spec);
  deployment.pod_template = read_pod_template(spec);
  if (deployment.pod_template.spec.restart_policy != RestartPolicy::always)
    spec.reject("template", "pods of a Deployment need restartPolicy Always");
  if (deployment.pod_template.spec.active_deadline)
    spec.reject("template", "pods of a Deployment have no activeDeadlineSeconds");
  if (deployment.selector.empty()) spec.reject("selector", "needs matchLabels");
  for (const auto& [key, value] : deployment.selector) {
    const auto found = deployment.pod_template.labels.find(key);
    if (found == deployment.pod_template.labels.end() || found->second != value)
      spec.reject("selector", fmt::format("does not match the template's labels: {}={}", key, value));
  }
  spec.map("strategy", [&](Fields& strategy) { read_strategy(strategy, deployment); });
  return deployment;
}

Job read_job_spec(Fields& spec) {
  Job job;
  job.completions = static_cast<int>(spec.integer("completions", 0, 100000).value_or(1));
  job.parallelism = static_cast<int>(spec.integer("parallelism", 0, 100000).value_or(1));
  job.backoff_limit = static_cast<int>(spec.integer("backoffLimit", 0, 100000).value_or(6));
  if (const auto deadline = spec.integer("activeDeadlineSeconds", 1, 86400 * 365))
    job.active_deadline = seconds(*deadline);
  job.pod_template = read_pod_template(spec);
  if (job.pod_template.spec.restart_policy == RestartPolicy::always)
    spec.reject("template", "pods of a Job need restartPolicy Never or OnFailure");
  return job;
}

}  // namespace

Deployment read_deployment(Fields& object) {
  return object.map("spec", read_deployment_spec, deployment_rules);
}

Job read_job(Fields& object) { return object.map("spec", read_job_spec, job_rules); }

}  // namespace flox::kube
