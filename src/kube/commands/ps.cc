// flox kube ps: lists pods.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/table.h"
#include "kube/commands/commands.h"
#include "kube/commands/find_pods.h"

namespace flox::kube {
namespace {

using nlohmann::json;

std::string restarts_text(const PodStatus& pod) { return std::to_string(pod.restarts()); }

std::string ready_text(const PodStatus& pod) {
  const auto ready = std::count_if(pod.containers.begin(), pod.containers.end(),
                                   [](const auto& c) { return c.ready && c.state == RunState::running; });
  return fmt::format("{}/{}", ready, pod.containers.size());
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
        "note: no supervisor runs, so this is the state when it ended. Run flox kube play to start one.\n");
}

}  // namespace

void add_ps(CLI::App& app, const CommonOptions& common) {
  auto as_json = std::make_shared<bool>(false);
  auto* command = app.add_subcommand("ps", "List pods");
  command->add_flag("--json", *as_json, "print JSON with all that is known of each pod");
  command->footer("Examples:\n  flox kube ps -n ml-workloads\n  flox kube ps --json | jq -r '.[].name'");
  command->callback([as_json, &common] { ps(open_session(common), *as_json); });
}

}  // namespace flox::kube
