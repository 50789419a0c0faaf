#include "kube/commands/wait.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "kube/controllers/reconcile.h"
#include "kube/pods/pod_status.h"

namespace flox::kube {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr auto wait_interval = std::chrono::milliseconds(100);

// A container without a readiness probe counts as ready from its first moment. So that one which ends at once
// is not taken for a success, such pods must stay ready for a little longer than it takes to notice an end.
constexpr auto settling_time = std::chrono::milliseconds(1300);

// One line for every change of a pod that is waited for.
class Progress {
 public:
  void show(const PodStatus& pod) {
    const std::string text =
        fmt::format("{}{}", status_word(pod), pod.ready() && status_word(pod) == "Running" ? ", ready" : "");
    std::string line = text;
    if (const std::string what = pod.ready() || pod.terminating ? "" : trouble(pod); !what.empty())
      line += ": " + what;
    std::string& last = lines_[pod.uid];
    if (line == last) return;
    last = line;
    fmt::print(stderr, "pod {}: {}\n", pod.name, printable_lines(line));
  }

 private:
  std::map<std::string, std::string> lines_;
};

std::vector<PodStatus> pods_of(const json& status, const Waited& waited) {
  std::vector<PodStatus> pods;
  for (const auto& item : status.at("pods")) {
    PodStatus pod = pod_status_from_json(item);
    if (waited.contains({pod.owner_kind, pod.namespace_, pod.owner_name})) pods.push_back(std::move(pod));
  }
  return pods;
}

std::string container_ids(const std::vector<PodStatus>& pods) {
  std::string ids;
  for (const auto& pod : pods)
    for (const auto& container : pod.containers) ids += container.id + " ";
  return ids;
}

std::string why_not(const std::vector<PodStatus>& pods) {
  std::string text;
  for (const auto& pod : pods) {
    if (pod.ready() || pod.phase == "Succeeded" || pod.terminating) continue;
    const std::string what = trouble(pod);
    text += fmt::format("\n  pod {}: {}{}{}", pod.name, status_word(pod), what.empty() ? "" : ": ", what);
  }
  return text;
}

}  // namespace

void wait_until_complete(const Session& session, const Waited& waited, bool settle,
                         std::chrono::seconds timeout) {
  const auto deadline = Clock::now() + timeout;
  Clock::time_point incomplete_at = Clock::now();  // when it was last seen so, or with other containers
  std::string running;
  int supervisors = 0;
  Progress progress;
  while (true) {
    const json status = session.state.status();
    const std::vector<PodStatus> pods = pods_of(status, waited);
    for (const auto& pod : pods) progress.show(pod);
    size_t complete = 0;
    for (const auto& item : status.at("workloads")) {
      const WorkloadStatus workload = workload_status_from_json(item);
      const auto found = waited.find(workload.key);
      if (found == waited.end() || found->second != workload.generation) continue;
      complete += workload.complete;
      if (workload.failed)
        throw Error(ErrorKind::unavailable,
                    fmt::format("{} has failed{}{}{}", to_string(workload.key),
                                workload.message.empty() ? "" : ": ", workload.message, why_not(pods)),
                    "Run 'flox kube describe POD' and 'flox kube logs POD' to see more.");
    }
    const std::string now_running = container_ids(pods);
    if (complete < waited.size() || now_running != running) incomplete_at = Clock::now();
    running = now_running;
    if (complete == waited.size() && (!settle || Clock::now() - incomplete_at > settling_time)) return;
    for (const auto& pod : pods)
      if (pod.permanent && !pod.terminating)
        throw Error(ErrorKind::unavailable,
                    fmt::format("{} {} cannot run:{}", pod.owner_kind, pod.owner_name, why_not(pods)),
                    "Play what is missing: then the pods start by themselves. Or remove them with "
                    "'flox kube down'.");
    // One that was killed, perhaps just while it was asked for, is replaced; one that keeps ending is not.
    if (!supervisor_runs(session.state)) {
      if (++supervisors > 3)
        throw Error(ErrorKind::unavailable, "the supervisor has ended",
                    fmt::format("Read its log {}.", session.state.supervisor_log().string()));
      ensure_supervisor(session.state, session.settings);
    }
    if (Clock::now() > deadline)
      throw Error(
          ErrorKind::unavailable, fmt::format("not ready after {} s:{}", timeout.count(), why_not(pods)),
          "The supervisor goes on trying. Run 'flox kube ps' and 'flox kube describe POD' to see more, or "
          "wait longer with --timeout.");
    std::this_thread::sleep_for(wait_interval);
  }
}

void wait_until_gone(const Session& session, const Waited& removed, bool all, std::chrono::seconds timeout) {
  const auto deadline = Clock::now() + timeout;
  Progress progress;
  while (true) {
    const json status = session.state.status();
    std::vector<PodStatus> pods;
    for (const auto& item : status.at("pods")) {
      PodStatus pod = pod_status_from_json(item);
      if (all || removed.contains({pod.owner_kind, pod.namespace_, pod.owner_name}))
        pods.push_back(std::move(pod));
    }
    for (const auto& pod : pods) progress.show(pod);
    if (pods.empty() && !(all && supervisor_runs(session.state))) return;
    if (!pods.empty() && !supervisor_runs(session.state))
      ensure_supervisor(session.state, last_settings(session.state));
    if (Clock::now() > deadline)
      throw Error(ErrorKind::unavailable,
                  fmt::format("{} pods are not gone after {} s", pods.size(), timeout.count()),
                  fmt::format("The supervisor goes on stopping them. Run 'flox kube ps', or read its log {}.",
                              session.state.supervisor_log().string()));
    std::this_thread::sleep_for(wait_interval);
  }
}

}  // namespace flox::kube
