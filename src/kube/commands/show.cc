// ps and describe, and finding pods by what people call them.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/printable.h"
#include "kube/commands/commands.h"

namespace flox::kube {
namespace {

using nlohmann::json;

// A line on the terminal. Annotations and messages are texts of strangers: what a pod's own probe says, too.
template <typename... Parts>
void say(fmt::format_string<Parts...> format, Parts&&... parts) {
  fmt::print("{}\n", printable_lines(fmt::format(format, std::forward<Parts>(parts)...)));
}

std::string restarts_text(const PodStatus& pod) { return std::to_string(pod.restarts()); }

std::string ready_text(const PodStatus& pod) {
  const auto ready = std::count_if(pod.containers.begin(), pod.containers.end(),
                                   [](const auto& c) { return c.ready && c.state == RunState::running; });
  return fmt::format("{}/{}", ready, pod.containers.size());
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows.front().size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i)
      line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}   ", row[i], widths[i]);
    say("{}", line);
  }
}

std::string time_text(UnixTime time) {
  if (time <= 0) return "never";
  char text[64];
  const std::time_t seconds = time;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void print_map(const char* title, const StringMap& map) {
  bool first = true;
  for (const auto& [key, value] : map) {
    say("{:<18} {}={}", first ? title : "", key, value);
    first = false;
  }
  if (first) say("{:<18} <none>", title);
}

void print_container(const ContainerStatus& container) {
  const char* states[] = {"Waiting", "Running", "Terminated"};
  say("  {}:", container.name);
  auto line = [](const char* name, const std::string& value) { say("    {:<16} {}", name, value); };
  line("Container ID:", container.id.empty() ? "" : "containerd://" + container.id);
  line("Image:", container.image);
  line("State:", states[static_cast<int>(container.state)]);
  if (!container.reason.empty()) line("  Reason:", container.reason);
  if (!container.message.empty()) line("  Message:", container.message);
  if (container.state == RunState::running) line("  Started:", time_text(container.started_at));
  if (container.state == RunState::terminated) {
    line("  Exit Code:", std::to_string(container.exit_code));
    line("  Finished:", time_text(container.finished_at));
  }
  if (!container.last_reason.empty() && container.state != RunState::terminated) {
    line("Last State:", "Terminated");
    line("  Reason:", container.last_reason);
    if (!container.last_message.empty()) line("  Message:", container.last_message);
    line("  Exit Code:", std::to_string(container.last_exit_code));
    line("  Finished:", time_text(container.finished_at));
  }
  line("Ready:", container.ready ? "True" : "False");
  line("Restart Count:", std::to_string(container.restarts));
}

void print_conditions(const PodStatus& pod) {
  auto line = [](const char* name, bool value) { say("  {:<16} {}", name, value ? "True" : "False"); };
  say("Conditions:");
  line("Initialized", pod.initialized());
  line("Ready", pod.ready());
  line("ContainersReady", pod.ready());
  line("PodScheduled", true);
}

void print_events(const PodStatus& pod) {
  if (pod.events.empty()) {
    say("Events:            <none>");
    return;
  }
  say("Events:");
  const UnixTime now = std::time(nullptr);
  std::vector<std::vector<std::string>> rows = {{"  Type", "Reason", "Age", "Message"}};
  for (const auto& event : pod.events) {
    const std::string times = event.count > 1 ? fmt::format(" (x{})", event.count) : "";
    rows.push_back({event.warning ? "  Warning" : "  Normal", event.reason,
                    age_text(now - event.time) + times, event.message});
  }
  print_table(rows);
}

// "deployment/web" → {"Deployment", "web"}; "web" and "pod/web" → {"", "web"}.
std::pair<std::string, std::string> split_target(const std::string& target) {
  const size_t slash = target.find('/');
  if (slash == std::string::npos) return {"", target};
  const std::string kind = target.substr(0, slash), name = target.substr(slash + 1);
  if (kind == "pod" || kind == "pods" || kind == "po") return {"", name};
  if (kind == "deployment" || kind == "deployments" || kind == "deploy" || kind == "deployment.apps")
    return {"Deployment", name};
  if (kind == "job" || kind == "jobs" || kind == "job.batch") return {"Job", name};
  throw Error(ErrorKind::invalid_input, fmt::format("{}: pods do not belong to a {}", target, kind),
              "Write POD, pod/POD, deployment/NAME or job/NAME.");
}

}  // namespace

std::vector<PodStatus> all_pods(const Session& session) {
  std::vector<PodStatus> pods;
  const json status = session.state.status();
  for (const auto& item : status.at("pods")) {
    PodStatus pod = pod_status_from_json(item);
    if (session.namespace_.empty() || pod.namespace_ == session.namespace_) pods.push_back(std::move(pod));
  }
  return pods;
}

std::vector<PodStatus> find_pods(const Session& session, const std::string& target) {
  const auto [kind, name] = split_target(target);
  std::vector<PodStatus> found;
  for (auto& pod : all_pods(session))
    if (kind.empty() ? pod.name == name : pod.owner_kind == kind && pod.owner_name == name)
      found.push_back(std::move(pod));
  if (found.empty())
    throw Error(ErrorKind::not_found,
                fmt::format("{} \"{}\" not found{}", kind.empty() ? "pod" : "pod of " + kind, name,
                            session.namespace_.empty() ? "" : " in namespace " + session.namespace_),
                "`flox kube ps` lists the pods.");
  for (const auto& pod : found)
    if (pod.namespace_ != found.front().namespace_)
      fail(ErrorKind::invalid_input, "{} is in several namespaces: give -n NAMESPACE", target);
  return found;
}

PodStatus find_pod(const Session& session, const std::string& target) {
  const std::vector<PodStatus> pods = find_pods(session, target);
  const auto running = std::find_if(
      pods.begin(), pods.end(), [](const auto& pod) { return pod.phase == "Running" && !pod.terminating; });
  return running == pods.end() ? pods.front() : *running;
}

const ContainerStatus& find_container(const PodStatus& pod, const std::string& name) {
  std::string wanted = name;
  if (const auto annotated = pod.annotations.find("kubectl.kubernetes.io/default-container");
      wanted.empty() && annotated != pod.annotations.end())
    wanted = annotated->second;
  if (wanted.empty()) return pod.containers.front();
  std::string names;
  for (const auto* list : {&pod.containers, &pod.init_containers})
    for (const auto& container : *list) {
      if (container.name == wanted) return container;
      names += (names.empty() ? "" : ", ") + container.name;
    }
  fail(ErrorKind::not_found, "pod {} has no container {}; it has {}", pod.name, wanted, names);
}

void ps(const Session& session, bool as_json) {
  if (as_json) {
    json pods = json::array();
    for (const auto& pod : all_pods(session)) pods.push_back(to_json(pod));
    fmt::print("{}\n", pods.dump(2, ' ', false, json::error_handler_t::replace));
    return;
  }
  const std::vector<PodStatus> pods = all_pods(session);
  if (pods.empty()) {
    fmt::print(stderr, "No pods found{}.\n",
               session.namespace_.empty() ? "" : " in namespace " + session.namespace_);
    return;
  }
  const bool several = std::any_of(
      pods.begin(), pods.end(), [&](const auto& pod) { return pod.namespace_ != pods.front().namespace_; });
  std::vector<std::vector<std::string>> rows = {{"NAME", "READY", "STATUS", "RESTARTS", "AGE"}};
  if (several) rows.front().insert(rows.front().begin(), "NAMESPACE");
  const UnixTime now = std::time(nullptr);
  for (const auto& pod : pods) {
    rows.push_back(
        {pod.name, ready_text(pod), status_word(pod), restarts_text(pod), age_text(now - pod.created_at)});
    if (several) rows.back().insert(rows.back().begin(), pod.namespace_);
  }
  print_table(rows);
  for (const auto& pod : pods)
    if (const std::string what = pod.ready() || pod.terminating ? "" : trouble(pod); !what.empty())
      say("\n{}: {}", pod.name, what);
  if (!supervisor_runs(session.state))
    fmt::print(
        stderr,
        "note: no supervisor runs, so this is how things stood when it ended; any play starts it again\n");
}

void describe(const Session& session, const std::string& target) {
  const PodStatus pod = find_pod(session, target);
  auto line = [](const char* name, const std::string& value) { say("{:<18} {}", name, value); };
  line("Name:", pod.name);
  line("Namespace:", pod.namespace_);
  line("Runtime Class:", pod.runtime_class.empty() ? "<none>" : pod.runtime_class);
  line("Service Account:", pod.service_account.empty() ? "default" : pod.service_account);
  line("Start Time:", time_text(pod.created_at));
  print_map("Labels:", pod.labels);
  print_map("Annotations:", pod.annotations);
  line("Status:", status_word(pod));
  if (!pod.message.empty()) line("Message:", pod.message);
  line("IP:", pod.ip);
  line("UID:", pod.uid);
  if (!pod.owner_kind.empty()) line("Controlled By:", pod.owner_kind + "/" + pod.owner_name);
  if (!pod.init_containers.empty()) {
    say("Init Containers:");
    for (const auto& container : pod.init_containers) print_container(container);
  }
  say("Containers:");
  for (const auto& container : pod.containers) print_container(container);
  print_conditions(pod);
  print_events(pod);
}

}  // namespace flox::kube
