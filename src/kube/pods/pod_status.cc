#include "kube/pods/pod_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace flox::kube {
namespace {

using nlohmann::json;

constexpr size_t most_events = 40;

const char* word(RunState state) {
  return state == RunState::running ? "running" : state == RunState::terminated ? "terminated" : "waiting";
}

json to_json(const ContainerStatus& container) {
  return {{"name", container.name},
          {"image", container.image},
          {"id", container.id},
          {"state", word(container.state)},
          {"reason", container.reason},
          {"message", container.message},
          {"exit_code", container.exit_code},
          {"restarts", container.restarts},
          {"ready", container.ready},
          {"started_at", container.started_at},
          {"finished_at", container.finished_at},
          {"last_reason", container.last_reason},
          {"last_message", container.last_message},
          {"last_exit_code", container.last_exit_code}};
}

ContainerStatus container_from_json(const json& json) {
  ContainerStatus container;
  container.name = json.at("name");
  container.image = json.at("image");
  container.id = json.at("id");
  const std::string state = json.at("state");
  container.state = state == "running"      ? RunState::running
                    : state == "terminated" ? RunState::terminated
                                            : RunState::waiting;
  container.reason = json.at("reason");
  container.message = json.at("message");
  container.exit_code = json.at("exit_code");
  container.restarts = json.at("restarts");
  container.ready = json.at("ready");
  container.started_at = json.at("started_at");
  container.finished_at = json.at("finished_at");
  container.last_reason = json.at("last_reason");
  container.last_message = json.at("last_message");
  container.last_exit_code = json.at("last_exit_code");
  return container;
}

bool all_ready(const std::vector<ContainerStatus>& containers) {
  return std::all_of(containers.begin(), containers.end(),
                     [](const auto& container) { return container.ready; });
}

// The word for a pod whose init containers have not all ended well; empty if they have.
std::string init_word(const PodStatus& pod) {
  const size_t total = pod.init_containers.size();
  for (size_t done = 0; done < total; ++done) {
    const ContainerStatus& container = pod.init_containers[done];
    if (container.ready) continue;
    if (container.state == RunState::terminated)
      return "Init:" +
             (container.reason.empty() ? fmt::format("ExitCode:{}", container.exit_code) : container.reason);
    if (container.state == RunState::waiting && !container.reason.empty() &&
        container.reason != "PodInitializing")
      return "Init:" + container.reason;
    return fmt::format("Init:{}/{}", done, total);
  }
  return {};
}

// Why a container does not run; for one that waits to be tried again, how it ended says more than that it
// waits.
std::string trouble_of(const ContainerStatus& container) {
  if (container.state == RunState::running) return {};
  const bool ended = container.state == RunState::terminated;
  const bool again = container.reason == "CrashLoopBackOff" || (!ended && container.message.empty());
  const std::string& message = again ? container.last_message : container.message;
  const int code = ended ? container.exit_code : container.last_exit_code;
  if (ended && code == 0) return {};
  const std::string tail = message.empty() ? "" : ": " + message;
  if (code != 0 && (ended || again))
    return fmt::format("container {} ended with exit code {}{}", container.name, code, tail);
  return message.empty() ? "" : fmt::format("container {}: {}", container.name, message);
}

}  // namespace

bool PodStatus::ready() const { return phase == "Running" && !terminating && all_ready(containers); }
bool PodStatus::initialized() const { return all_ready(init_containers); }

int PodStatus::restarts() const {
  int count = 0;
  for (const auto& container : initialized() ? containers : init_containers) count += container.restarts;
  return count;
}

std::string status_word(const PodStatus& pod) {
  if (pod.terminating) return "Terminating";
  std::string text = pod.reason.empty() ? pod.phase : pod.reason;
  if (!pod.reason.empty()) return text;
  if (const std::string init = init_word(pod); !init.empty()) return init;
  bool running = false;
  for (auto container = pod.containers.rbegin(); container != pod.containers.rend(); ++container) {
    if (container->state == RunState::waiting && !container->reason.empty())
      text = container->reason;
    else if (container->state == RunState::terminated)
      text = container->reason.empty() ? fmt::format("ExitCode:{}", container->exit_code) : container->reason;
    else if (container->state == RunState::running && container->ready)
      running = true;
  }
  if (text == "Completed" && running) text = pod.ready() ? "Running" : "NotReady";
  return text;
}

std::string trouble(const PodStatus& pod) {
  if (!pod.message.empty()) return pod.message;
  for (const auto* list : {&pod.init_containers, &pod.containers})
    for (const auto& container : *list)
      if (std::string text = trouble_of(container); !text.empty()) return text;
  for (auto event = pod.events.rbegin(); event != pod.events.rend(); ++event)
    if (event->warning && !pod.ready() && !pod.finished()) return event->message;
  return {};
}

std::string age_text(int64_t seconds) {
  seconds = std::max<int64_t>(seconds, 0);
  if (seconds < 120) return fmt::format("{}s", seconds);
  const int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (minutes < 10)
    return seconds % 60 ? fmt::format("{}m{}s", minutes, seconds % 60) : fmt::format("{}m", minutes);
  if (hours < 3) return fmt::format("{}m", minutes);
  if (hours < 48)
    return hours < 8 && minutes % 60 ? fmt::format("{}h{}m", hours, minutes % 60) : fmt::format("{}h", hours);
  return fmt::format("{}d", days);
}

void add_event(PodStatus& pod, UnixTime now, bool warning, const std::string& reason,
               const std::string& message) {
  for (auto event = pod.events.begin(); event != pod.events.end(); ++event)
    if (event->reason == reason && event->message == message) {
      Event again = *event;
      again.count++;
      again.time = now;
      pod.events.erase(event);
      pod.events.push_back(again);
      return;
    }
  pod.events.push_back({now, warning, reason, message, 1});
  if (pod.events.size() > most_events) pod.events.erase(pod.events.begin());
}

json to_json(const PodStatus& pod) {
  json init = json::array(), containers = json::array(), events = json::array();
  for (const auto& container : pod.init_containers) init.push_back(to_json(container));
  for (const auto& container : pod.containers) containers.push_back(to_json(container));
  for (const auto& event : pod.events)
    events.push_back({{"time", event.time},
                      {"warning", event.warning},
                      {"reason", event.reason},
                      {"message", event.message},
                      {"count", event.count}});
  return {{"uid", pod.uid},
          {"name", pod.name},
          {"namespace", pod.namespace_},
          {"owner_kind", pod.owner_kind},
          {"owner_name", pod.owner_name},
          {"template_hash", pod.template_hash},
          {"labels", pod.labels},
          {"annotations", pod.annotations},
          {"runtime_class", pod.runtime_class},
          {"service_account", pod.service_account},
          {"created_at", pod.created_at},
          {"phase", pod.phase},
          {"reason", pod.reason},
          {"message", pod.message},
          {"permanent", pod.permanent},
          {"terminating", pod.terminating},
          {"ip", pod.ip},
          {"log_directory", pod.log_directory},
          {"init_containers", init},
          {"containers", containers},
          {"events", events},
          // For readers; not read back:
          {"ready", pod.ready()},
          {"status", status_word(pod)},
          {"restarts", pod.restarts()},
          {"trouble", trouble(pod)}};
}

PodStatus pod_status_from_json(const json& json) {
  PodStatus pod;
  pod.uid = json.at("uid");
  pod.name = json.at("name");
  pod.namespace_ = json.at("namespace");
  pod.owner_kind = json.at("owner_kind");
  pod.owner_name = json.at("owner_name");
  pod.template_hash = json.at("template_hash");
  pod.labels = json.at("labels").get<StringMap>();
  pod.annotations = json.at("annotations").get<StringMap>();
  pod.runtime_class = json.at("runtime_class");
  pod.service_account = json.at("service_account");
  pod.created_at = json.at("created_at");
  pod.phase = json.at("phase");
  pod.reason = json.at("reason");
  pod.message = json.at("message");
  pod.permanent = json.at("permanent");
  pod.terminating = json.at("terminating");
  pod.ip = json.at("ip");
  pod.log_directory = json.at("log_directory");
  for (const auto& item : json.at("init_containers"))
    pod.init_containers.push_back(container_from_json(item));
  for (const auto& item : json.at("containers")) pod.containers.push_back(container_from_json(item));
  for (const auto& item : json.at("events"))
    pod.events.push_back(
        {item.at("time"), item.at("warning"), item.at("reason"), item.at("message"), item.at("count")});
  return pod;
}

}  // namespace flox::kube
