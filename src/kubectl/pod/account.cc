#include "kubectl/pod/account.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "base/settings/units.h"

namespace flox::kubectl {
namespace {

using State = Verdict::State;
using Starts = std::vector<StartState>;

uint64_t unsigned_of(int64_t number) { return number < 0 ? 0 : static_cast<uint64_t>(number); }

double seconds_between(int64_t begin, int64_t end) { return static_cast<double>(end - begin) / 1e3; }

// The container's last start, as floxd knows it; null: none.
const StartState* last_start(const Starts& starts, std::string_view container) {
  for (const StartState& start : std::views::reverse(starts))
    if (start.container == container) return &start;
  return nullptr;
}

std::string names_of(const StartState& start) {
  const std::string others =
      start.others == 0 ? "" : fmt::format("{} of other namespaces, or more", unsigned_of(start.others));
  if (start.holders.empty()) return others.empty() ? "others" : others;
  return fmt::format("{}{}{}", fmt::join(start.holders, ", "), others.empty() ? "" : " and ", others);
}

// What floxd does for the container now.
Verdict of_start_under_way(const StartState& start, int64_t now) {
  const auto since = [&](int64_t begin) {
    return duration_text(std::chrono::seconds(std::max<int64_t>(0, (now - begin) / 1000)));
  };
  const auto verdict = [&](std::string text, std::string advice = {}) {
    return Verdict{State::on_its_way, fmt::format("container {}: {}", start.container, text),
                   std::move(advice)};
  };
  if (start.waits_for == "turn")
    return verdict(fmt::format("floxd has had no thread for it for {}: {} are being started",
                               since(start.asked_at), names_of(start)),
                   "Wait for these, or see 'kubectl flox status' for the queue.");
  if (start.waits_for == "same")
    return verdict(fmt::format("floxd makes {} ready already, for {}", start.environment, names_of(start)));
  const auto stage = std::ranges::find_if(std::views::reverse(start.stages), [](const auto& one) {
    return !one.is_over && one.name != "prepare";
  });
  const auto none = std::views::reverse(start.stages).end();
  if (stage == none)
    return verdict(fmt::format("floxd works on {} for {}", start.environment, since(start.asked_at)));
  if (stage->name == "resolve")
    return verdict(fmt::format("floxd has asked the catalog for {} what {} is", since(stage->began_at),
                               start.environment),
                   "See 'kubectl flox doctor': the catalog may be slow or away.");
  if (stage->name != "realise")
    return verdict(fmt::format("floxd is at stage {} of {} for {}", stage->name, start.environment,
                               since(stage->began_at)));
  if (start.paths_total == 0)
    return verdict(fmt::format("floxd has asked the caches for {} which paths of {} they have",
                               since(stage->began_at), start.environment));
  std::string text = fmt::format("floxd fetches {}: {} of {}", start.environment, start.paths_done,
                                 count_text(unsigned_of(start.paths_total), "path"));
  if (start.bytes_total > 0)
    text += fmt::format(", {} of {}", size_text(unsigned_of(start.bytes_fetched)),
                        size_text(unsigned_of(start.bytes_total)));
  text += start.bytes_per_second > 0 ? fmt::format(", {}/s", size_text(unsigned_of(start.bytes_per_second)))
                                     : ", and nothing has come in the last seconds";
  return verdict(std::move(text));
}

const Event* last_warning(const std::vector<Event>& events, std::string_view container) {
  for (const Event& event : std::views::reverse(events))
    if (event.container.empty() || event.container == container) return event.is_warning ? &event : nullptr;
  return nullptr;
}

// A container that has not started, or has ended before its time.
Verdict of_waiting(const PodState& pod, const ContainerState& container, const std::vector<Event>& events,
                   const std::optional<Starts>& starts, int64_t now) {
  const StartState* start = starts ? last_start(*starts, container.name) : nullptr;
  if (start != nullptr && start->is_under_way()) return of_start_under_way(*start, now);
  const std::string advice = start != nullptr && start->state == "failed" ? start->advice : std::string();
  const auto stuck = [&](std::string text, std::string fallback) {
    return Verdict{State::stuck, fmt::format("container {}: {}", container.name, text),
                   advice.empty() ? std::move(fallback) : advice};
  };
  // A pull that fails comes before floxd is asked.
  if (start != nullptr && start->state == "failed" && container.waits.find("Image") == std::string::npos)
    return stuck(start->error + "; the kubelet tries again", {});
  if (container.waits == "CrashLoopBackOff")
    return stuck(fmt::format("it ends again and again, the last time with exit code {}", container.exit_code),
                 fmt::format("Run 'kubectl -n {} logs {} -c {} --previous'.", pod.pod_namespace, pod.name,
                             container.name));
  const bool is_ordinary = container.waits == "ContainerCreating" || container.waits == "PodInitializing" ||
                           container.waits == "Waiting";
  if (!is_ordinary)
    return stuck(
        fmt::format("{}{}{}", container.waits, container.message.empty() ? "" : ": ", container.message),
        fmt::format("Run 'kubectl -n {} describe pod {}' for all of it.", pod.pod_namespace, pod.name));
  if (const Event* warning = last_warning(events, container.name))
    return stuck(fmt::format("{}: {}", warning->reason, warning->message), {});
  const auto on_its_way = [&](std::string text) {
    return Verdict{State::on_its_way, fmt::format("container {}: {}", container.name, text), {}};
  };
  if (!events.empty() && events.back().reason == "Pulling")
    return on_its_way("the kubelet pulls its image: " + events.back().message);
  if (start != nullptr) return on_its_way("floxd has prepared it, and the runtime has not started it yet");
  if (!starts)
    return {State::unknown, fmt::format("container {}: it is being made", container.name),
            "Ask who may run 'kubectl exec' in the namespace of the DaemonSet flox-node."};
  return on_its_way(pod.sandbox_at ? "the kubelet makes it" : "the kubelet makes the pod's sandbox");
}

Verdict of_started(const PodState& pod, const std::vector<Event>& events) {
  for (const ContainerState& container : pod.containers) {
    if (container.is_ready || container.is_init || container.has_ended) continue;
    const Event* warning = last_warning(events, container.name);
    if (warning != nullptr)
      return {State::stuck,
              fmt::format("container {} runs and is not ready: {}", container.name, warning->message),
              {}};
    return {State::on_its_way,
            fmt::format("container {} runs, and its readiness probe has not succeeded yet", container.name),
            {}};
  }
  int64_t last = 0;
  for (const ContainerState& container : pod.containers)
    if (container.started_at) last = std::max(last, *container.started_at);
  if (!pod.created_at || last < *pod.created_at) return {State::started, "has started", {}};
  return {State::started,
          fmt::format("has started, {:.0f} s after it was made", seconds_between(*pod.created_at, last)),
          {}};
}

Verdict verdict_of(const PodState& pod, const std::vector<Event>& events, const std::optional<Starts>& starts,
                   int64_t now) {
  if (pod.is_being_deleted) return {State::on_its_way, "is being deleted", {}};
  if (pod.phase == "Succeeded") return {State::started, "has run to its end", {}};
  if (pod.phase == "Failed" && pod.containers.empty())
    return {State::stuck, fmt::format("has failed: {} {}", pod.reason, pod.message), {}};
  if (pod.node.empty())
    return pod.unschedulable.empty() ? Verdict{State::on_its_way, "waits for the scheduler", {}}
                                     : Verdict{State::stuck, "has no node: " + pod.unschedulable,
                                               "Imageless pods go to nodes with the label "
                                               "flox.dev/runtime=installed: see 'kubectl flox status'."};
  for (const ContainerState& container : pod.containers) {
    if (container.is_init && container.has_ended && container.exit_code == 0) continue;
    if (container.is_init && container.is_running)
      return {State::on_its_way, fmt::format("init container {} runs", container.name), {}};
    const StartState* start = starts ? last_start(*starts, container.name) : nullptr;
    const bool was_refused = start != nullptr && start->state == "failed";
    if (container.has_ended && container.exit_code != 0 && !was_refused)
      return {State::stuck,
              fmt::format("container {} ended with exit code {}: {}", container.name, container.exit_code,
                          container.message),
              fmt::format("Run 'kubectl -n {} logs {} -c {}'.", pod.pod_namespace, pod.name, container.name)};
    if (!container.is_running && (!container.has_ended || (was_refused && container.exit_code != 0)))
      return of_waiting(pod, container, events, starts, now);
  }
  if (pod.phase == "Failed")
    return {State::stuck, fmt::format("has failed: {} {}", pod.reason, pod.message), {}};
  if (pod.containers.empty()) return {State::on_its_way, "waits for its node's kubelet", {}};
  return of_started(pod, events);
}

void add_start(const StartState& start, std::vector<Entry>& entries) {
  const auto add = [&](int64_t at, std::string what, std::string text, std::optional<double> seconds = {},
                       bool has_failed = false) {
    entries.push_back({.at = at,
                       .source = "floxd",
                       .container = start.container,
                       .what = std::move(what),
                       .text = std::move(text),
                       .seconds = seconds,
                       .has_failed = has_failed});
  };
  add(start.asked_at, "asked",
      start.environment + (start.trace_id.empty() ? "" : ", trace " + start.trace_id));
  for (const StartState::Stage& stage : start.stages) {
    if (stage.name == "prepare") continue;  // all of it
    const bool fetches = stage.name == "realise" && start.paths_total > 0;
    add(stage.began_at, stage.name,
        fetches ? fmt::format("{} fetched, {}", count_text(unsigned_of(start.paths_done), "path"),
                              size_text(unsigned_of(start.bytes_fetched)))
                : "",
        stage.seconds, stage.has_failed);
  }
  const std::string lazy = start.lazy.empty()     ? ""
                           : start.lazy == "lazy" ? "; its files come when they are read"
                                                  : "; waited for all of its files: " + start.lazy;
  if (start.ended_at > 0)
    add(start.ended_at, start.state, start.state == "failed" ? start.error : start.profile + lazy,
        seconds_between(start.asked_at, start.ended_at), start.state == "failed");
  // Another container of the same environment may have been first.
  if (start.lazy_ready_at > start.asked_at)
    add(start.lazy_ready_at, "ready",
        fmt::format("no read waits any more: {} of {} of its files have come",
                    size_text(unsigned_of(start.lazy_bytes_at_ready)),
                    size_text(unsigned_of(start.lazy_bytes))),
        seconds_between(start.asked_at, start.lazy_ready_at));
  for (const StartState::Failure& failure : start.failures)
    add(failure.at, "read",
        fmt::format("{} could not be read: {}", failure.path.empty() ? "its files" : failure.path,
                    failure.why),
        {}, true);
  if (start.lazy_whole_at > start.asked_at)
    add(start.lazy_whole_at, "whole", "all of its files have come",
        seconds_between(start.asked_at, start.lazy_whole_at));
}

// From floxd's answer to the process: the mounts, the OCI runtime, the exec. The kubelet's times are whole
// seconds.
void add_container(const ContainerState& container, const std::optional<Starts>& starts,
                   std::vector<Entry>& entries) {
  const auto add = [&](int64_t at, const char* what, std::string text, bool has_failed = false) {
    entries.push_back({.at = at,
                       .source = "kubernetes",
                       .container = container.name,
                       .what = what,
                       .text = std::move(text),
                       .has_failed = has_failed});
  };
  if (container.started_at) {
    const StartState* start = starts ? last_start(*starts, container.name) : nullptr;
    const bool was_prepared = start != nullptr && start->state == "prepared" &&
                              (container.id.empty() || start->container_id == container.id);
    add(*container.started_at, "exec",
        was_prepared ? "its files are mounted and its process runs" : "its process runs");
  }
  if (container.has_ended && container.ended_at)
    add(*container.ended_at, "ended", fmt::format("exit code {} {}", container.exit_code, container.message),
        container.exit_code != 0);
}

}  // namespace

std::string_view to_string(State state) noexcept {
  switch (state) {
    case State::started:
      return "started";
    case State::on_its_way:
      return "on_its_way";
    case State::stuck:
      return "stuck";
    case State::unknown:
      return "unknown";
  }
  return "?";
}

Account account_of(const PodState& pod, const std::vector<Event>& events, const std::optional<Starts>& starts,
                   int64_t now) {
  // A later pod may have the name of an earlier one.
  std::optional<Starts> own;
  if (starts) {
    own.emplace();
    std::ranges::copy_if(*starts, std::back_inserter(*own), [&](const StartState& start) {
      return start.pod_uid.empty() || pod.uid.empty() || start.pod_uid == pod.uid;
    });
  }
  Account account{.entries = {}, .verdict = verdict_of(pod, events, own, now)};
  const auto add = [&](const std::optional<int64_t>& at, const char* what, std::string text) {
    if (at)
      account.entries.push_back({.at = *at, .source = "kubernetes", .what = what, .text = std::move(text)});
  };
  add(pod.created_at, "created", {});
  add(pod.scheduled_at, "scheduled", "to " + pod.node);
  add(pod.sandbox_at, "sandbox", "its sandbox and network are there");
  add(pod.ready_at, "ready", {});
  for (const ContainerState& container : pod.containers) add_container(container, own, account.entries);
  if (own)
    for (const StartState& start : *own) add_start(start, account.entries);
  for (const Event& event : events)
    account.entries.push_back(
        {.at = event.at,
         .source = "kubernetes",
         .container = event.container,
         .what = event.reason,
         .text = event.message + (event.count > 1 ? fmt::format(" ({} times)", event.count) : ""),
         .has_failed = event.is_warning});
  std::ranges::stable_sort(account.entries, {}, &Entry::at);
  return account;
}

}  // namespace flox::kubectl
