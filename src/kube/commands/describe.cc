// flox kube describe: all that is known of a pod.
#include <fmt/format.h>

#include <memory>

#include "base/command_line/table.h"
#include "base/rfc3339.h"
#include "kube/commands/commands.h"
#include "kube/commands/find_pods.h"

namespace flox::kube {
namespace {

std::string time_text(UnixTime time) { return time <= 0 ? "never" : rfc3339(time); }

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

}  // namespace

void add_describe(CLI::App& app, const CommonOptions& common) {
  auto target = std::make_shared<std::vector<std::string>>();
  auto* command = app.add_subcommand("describe", "Show the state, containers and events of a pod");
  command->add_option("POD", *target, "POD, pod/POD or deployment/NAME")->required();
  command->footer("Example:\n  flox kube describe deployment/ticket-processor");
  command->callback([target, &common] { describe(open_session(common), join_target(*target)); });
}

}  // namespace flox::kube
