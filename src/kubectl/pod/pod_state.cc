#include "kubectl/pod/pod_state.h"

#include <algorithm>

#include "base/printable.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

constexpr size_t most_events = 200;
constexpr size_t most_starts = 1000;
constexpr size_t most_failures = 16;  // of reads of one start
constexpr size_t most_text = 4000;    // characters

std::string safe_text(const nlohmann::json& value, Path path) {
  return printable(text_at(value, path), most_text);
}

// "containerd://ID" without what stands in front.
std::string bare_id(const std::string& id) {
  const size_t mark = id.find("://");
  return mark == std::string::npos ? id : id.substr(mark + 3);
}

ContainerState read_container(const nlohmann::json& status, bool is_init) {
  ContainerState container{.name = safe_text(status, {"name"}),
                           .id = bare_id(safe_text(status, {"containerID"})),
                           .is_init = is_init,
                           .is_ready = flag_at(status, {"ready"}),
                           .restarts = number_at(status, {"restartCount"})};
  const nlohmann::json& state = at(status, {"state"});
  if (const nlohmann::json& running = at(state, {"running"}); running.is_object()) {
    container.is_running = true;
    container.started_at = time_at(running, {"startedAt"});
  } else if (const nlohmann::json& end = at(state, {"terminated"}); end.is_object()) {
    container.has_ended = true;
    container.exit_code = number_at(end, {"exitCode"});
    container.message = safe_text(end, {"message"});
    if (container.message.empty()) container.message = safe_text(end, {"reason"});
    container.started_at = time_at(end, {"startedAt"});
    container.ended_at = time_at(end, {"finishedAt"});
  } else {
    container.waits = safe_text(state, {"waiting", "reason"});
    if (container.waits.empty()) container.waits = "Waiting";
    container.message = safe_text(state, {"waiting", "message"});
  }
  if (const nlohmann::json& last = at(status, {"lastState", "terminated"}); last.is_object()) {
    if (!container.has_ended) container.exit_code = number_at(last, {"exitCode"});
    if (!container.ended_at) container.ended_at = time_at(last, {"finishedAt"});
  }
  return container;
}

// Beside the others, for as long as the pod: it starts as an init container does, and does not end.
bool is_sidecar(const nlohmann::json& pod, const std::string& name) {
  for (const auto& container : list_at(pod, {"spec", "initContainers"}))
    if (text_at(container, {"name"}) == name) return text_at(container, {"restartPolicy"}) == "Always";
  return false;
}

void read_condition(const nlohmann::json& condition, PodState& pod) {
  const std::string type = text_at(condition, {"type"});
  const bool is_true = text_at(condition, {"status"}) == "True";
  const auto since = time_at(condition, {"lastTransitionTime"});
  if (type == "PodScheduled") {
    if (is_true)
      pod.scheduled_at = since;
    else
      pod.unschedulable = safe_text(condition, {"message"});
  }
  if (type == "PodReadyToStartContainers" && is_true) pod.sandbox_at = since;
  if (type == "Ready" && is_true) pod.ready_at = since;
}

}  // namespace

PodState read_pod(const nlohmann::json& document) {
  PodState pod{.pod_namespace = safe_text(document, {"metadata", "namespace"}),
               .name = safe_text(document, {"metadata", "name"}),
               .uid = safe_text(document, {"metadata", "uid"}),
               .node = safe_text(document, {"spec", "nodeName"}),
               .phase = safe_text(document, {"status", "phase"}),
               .reason = safe_text(document, {"status", "reason"}),
               .message = safe_text(document, {"status", "message"}),
               .is_being_deleted = !text_at(document, {"metadata", "deletionTimestamp"}).empty(),
               .created_at = time_at(document, {"metadata", "creationTimestamp"})};
  for (const auto& condition : list_at(document, {"status", "conditions"})) read_condition(condition, pod);
  for (const auto& status : list_at(document, {"status", "initContainerStatuses"}))
    pod.containers.push_back(read_container(status, !is_sidecar(document, text_at(status, {"name"}))));
  for (const auto& status : list_at(document, {"status", "containerStatuses"}))
    pod.containers.push_back(read_container(status, false));
  return pod;
}

std::vector<Event> read_events(const nlohmann::json& list) {
  std::vector<Event> events;
  for (const auto& item : list_at(list, {"items"})) {
    Event event{.is_warning = text_at(item, {"type"}) == "Warning",
                .reason = safe_text(item, {"reason"}),
                .message = safe_text(item, {"message"}),
                .count = std::max<int64_t>(1, number_at(item, {"count"}))};
    // An event that comes again has a series, or other times than when it was made.
    for (const auto& time : {time_at(item, {"series", "lastObservedTime"}), time_at(item, {"lastTimestamp"}),
                             time_at(item, {"eventTime"}), time_at(item, {"firstTimestamp"}),
                             time_at(item, {"metadata", "creationTimestamp"})})
      if (event.at == 0 && time) event.at = *time;
    event.count = std::max(event.count, number_at(item, {"series", "count"}));
    // "spec.containers{main}"
    const std::string field = safe_text(item, {"involvedObject", "fieldPath"});
    const size_t open = field.find('{'), close = field.rfind('}');
    if (open != std::string::npos && close != std::string::npos && close > open)
      event.container = field.substr(open + 1, close - open - 1);
    events.push_back(std::move(event));
  }
  std::ranges::stable_sort(events, {}, &Event::at);
  if (events.size() > most_events)
    events.erase(events.begin(), events.end() - static_cast<std::ptrdiff_t>(most_events));
  return events;
}

std::vector<StartState> read_starts(const nlohmann::json& document) {
  std::vector<StartState> starts;
  for (const auto& item : list_at(document, {"starts"})) {
    if (starts.size() == most_starts) break;
    StartState start{.container = safe_text(item, {"container"}),
                     .container_id = safe_text(item, {"container_id"}),
                     .pod_uid = safe_text(item, {"pod_uid"}),
                     .environment = safe_text(item, {"environment"}),
                     .trace_id = safe_text(item, {"trace_id"}),
                     .state = safe_text(item, {"state"}),
                     .error = safe_text(item, {"error"}),
                     .advice = safe_text(item, {"advice"}),
                     .profile = safe_text(item, {"profile"}),
                     .lazy = safe_text(item, {"lazy"}),
                     .asked_at = number_at(item, {"asked_at_ms"}),
                     .ended_at = number_at(item, {"ended_at_ms"}),
                     .lazy_ready_at = number_at(item, {"lazy_start", "ready_at_ms"}),
                     .lazy_whole_at = number_at(item, {"lazy_start", "whole_at_ms"}),
                     .lazy_bytes_at_ready = number_at(item, {"lazy_start", "bytes_at_ready"}),
                     .lazy_bytes = number_at(item, {"lazy_start", "bytes"}),
                     .waits_for = safe_text(item, {"waiting", "for"}),
                     .others = number_at(item, {"waiting", "others"}),
                     .paths_total = number_at(item, {"paths_total"}),
                     .paths_done = number_at(item, {"paths_done"}),
                     .bytes_total = number_at(item, {"bytes_total"}),
                     .bytes_fetched = number_at(item, {"bytes_fetched"}),
                     .bytes_per_second = number_at(item, {"bytes_per_second"})};
    for (const auto& stage : list_at(item, {"stages"}))
      start.stages.push_back({.name = safe_text(stage, {"stage"}),
                              .began_at = number_at(stage, {"began_at_ms"}),
                              .seconds = static_cast<double>(number_at(stage, {"microseconds"})) / 1e6,
                              .is_over = flag_at(stage, {"is_over"}),
                              .has_failed = flag_at(stage, {"has_failed"})});
    for (const auto& failure : list_at(item, {"lazy_start", "failures"}))
      if (start.failures.size() < most_failures)
        start.failures.push_back({.path = safe_text(failure, {"path"}),
                                  .why = safe_text(failure, {"why"}),
                                  .at = number_at(failure, {"at_ms"})});
    for (const auto& holder : list_at(item, {"waiting", "holders"}))
      if (holder.is_string()) start.holders.push_back(printable(holder.get<std::string>(), 300));
    starts.push_back(std::move(start));
  }
  return starts;
}

}  // namespace flox::kubectl
