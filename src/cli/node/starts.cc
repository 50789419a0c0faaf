// flox node starts: what floxd does for containers that start, and did for the last ones.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/command_line/program.h"
#include "base/printable.h"
#include "base/rfc3339.h"
#include "base/settings/units.h"
#include "cli/node/ask_floxd.h"
#include "cli/node/commands.h"
#include "cli/options.h"
#include "protocol/status.ttrpc.h"

namespace flox::cli {
namespace {

using nlohmann::ordered_json;
using status::v1::LazyStart;
using status::v1::Start;
using status::v1::StartsAnswer;

struct NodeStartsOptions {
  std::string pod;
  bool json = false;
};

ordered_json to_json(const LazyStart& lazy) {
  ordered_json failures = ordered_json::array();
  for (const auto& failure : lazy.failures())
    failures.push_back({{"path", failure.path()},
                        {"why", failure.why()},
                        {"at_ms", failure.at()},
                        {"reads", failure.reads()}});
  return {{"closure_bytes", lazy.closure_bytes()},
          {"missing_bytes", lazy.missing_bytes()},
          {"has_profile", lazy.has_profile()},
          {"profile_from", !lazy.has_profile()   ? ""
                           : lazy.is_published() ? "catalog"
                                                 : "node"},
          {"profile_bytes", lazy.profile_bytes()},
          {"ready_at_ms", lazy.ready_at()},
          {"bytes_at_ready", lazy.bytes_at_ready()},
          {"whole_at_ms", lazy.whole_at()},
          {"bytes", lazy.bytes()},
          {"reads_waited", lazy.reads_waited()},
          {"waited_microseconds", lazy.waited_microseconds()},
          {"failures", failures}};
}

ordered_json to_json(const Start& start) {
  ordered_json stages = ordered_json::array();
  for (const auto& stage : start.stages())
    stages.push_back({{"stage", stage.name()},
                      {"began_at_ms", stage.began_at()},
                      {"microseconds", stage.microseconds()},
                      {"is_over", stage.is_over()},
                      {"has_failed", stage.has_failed()}});
  ordered_json waiting = nullptr;
  if (start.has_waiting())
    waiting = {{"for", start.waiting().reason()},
               {"holders", ordered_json(start.waiting().holders())},
               {"others", start.waiting().others()}};
  return {{"namespace", start.pod_namespace()},
          {"pod", start.pod_name()},
          {"pod_uid", start.pod_uid()},
          {"container", start.container_name()},
          {"container_id", start.container_id()},
          {"environment", start.environment()},
          {"trace_id", start.trace_id()},
          {"state", start.state()},
          {"asked_at_ms", start.asked_at()},
          {"ended_at_ms", start.ended_at()},
          {"error", start.error()},
          {"advice", start.advice()},
          {"profile", start.profile()},
          {"lazy", start.lazy()},
          {"lazy_start", start.has_lazy_start() ? to_json(start.lazy_start()) : ordered_json()},
          {"stages", stages},
          {"waiting", waiting},
          {"paths_total", start.paths_total()},
          {"paths_done", start.paths_done()},
          {"bytes_total", start.bytes_total()},
          {"bytes_fetched", start.bytes_fetched()},
          {"bytes_per_second", start.bytes_per_second()}};
}

void print_lazy(const Start& start) {
  const LazyStart& lazy = start.lazy_start();
  fmt::print("    its files come when they are read: {} of {} were missing{}\n",
             size_text(lazy.missing_bytes()), size_text(lazy.closure_bytes()),
             lazy.has_profile()
                 ? fmt::format(", {} fetched ahead by {} start profile", size_text(lazy.profile_bytes()),
                               lazy.is_published() ? "the published" : "this node's")
                 : "; no start profile");
  // Another container may have been first.
  const auto seconds = [&](int64_t at) {
    return static_cast<double>(std::max<int64_t>(0, at - start.asked_at())) / 1e3;
  };
  if (lazy.ready_at() != 0)
    fmt::print("    ready     {:>10.3f} s, with {} of {} of its files; {} waited {:.3f} s together\n",
               seconds(lazy.ready_at()), size_text(lazy.bytes_at_ready()), size_text(lazy.bytes()),
               count_text(lazy.reads_waited(), "read"),
               static_cast<double>(lazy.waited_microseconds()) / 1e6);
  for (const auto& failure : lazy.failures())
    fmt::print("    ✘ {}could not be read: {}{}\n",
               failure.path().empty() ? "its files " : failure.path() + " ", failure.why(),
               failure.reads() == 0 ? "" : fmt::format(" ({})", count_text(failure.reads(), "read")));
  if (lazy.whole_at() != 0) fmt::print("    whole     {:>10.3f} s\n", seconds(lazy.whole_at()));
}

void print(const Start& start) {
  const char* mark = start.state() == "failed" ? "✘" : start.state() == "prepared" ? "✔" : "ℹ";
  fmt::print(
      "{} {} {}/{}/{} {}{}\n", mark,
      rfc3339(std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(start.asked_at()))),
      start.pod_namespace(), start.pod_name(), start.container_name(),
      start.environment().empty() ? "" : start.environment() + ": ", start.state());
  for (const auto& stage : start.stages())
    fmt::print("    {:<9} {:>10.3f} s{}\n", stage.name(), static_cast<double>(stage.microseconds()) / 1e6,
               !stage.is_over()     ? "  under way"
               : stage.has_failed() ? "  failed"
                                    : "");
  if (start.state() == "running" && start.paths_total() > 0)
    fmt::print("    {} of {}, {} of {}\n", start.paths_done(), count_text(start.paths_total(), "path"),
               size_text(start.bytes_fetched()), size_text(start.bytes_total()));
  if (start.has_waiting()) {
    fmt::print("    waits for {}:",
               start.waiting().reason() == "turn" ? "its turn" : "another start of the same environment");
    for (const std::string& holder : start.waiting().holders()) fmt::print(" {}", holder);
    if (start.waiting().others() > 0) fmt::print(" and {} more", start.waiting().others());
    fmt::print("\n");
  }
  if (start.lazy() == "lazy")
    print_lazy(start);
  else if (!start.lazy().empty())
    fmt::print("    waited for all of its files: {}\n", start.lazy());
  if (!start.error().empty()) fmt::print("    {}\n", start.error());
  if (!start.advice().empty()) fmt::print("    → {}\n", start.advice());
}

void show_starts(const NodeStartsOptions& options) {
  status::v1::StartsRequest request;
  if (!options.pod.empty()) {
    const size_t slash = options.pod.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == options.pod.size())
      fail_usage(fmt::format("--pod '{}' does not name a pod", printable(options.pod, 100)),
                 "Write NAMESPACE/NAME.");
    request.set_pod_namespace(options.pod.substr(0, slash));
    request.set_pod_name(options.pod.substr(slash + 1));
  }
  const StartsAnswer answer = ask_floxd(status::v1::Status::Starts, request);
  if (options.json) {
    ordered_json list = ordered_json::array();
    for (const Start& start : answer.starts()) list.push_back(to_json(start));
    fmt::print("{}\n",
               ordered_json{{"starts", list}}.dump(2, ' ', false, ordered_json::error_handler_t::replace));
    return;
  }
  for (const Start& start : answer.starts()) print(start);
  if (answer.starts().empty()) fmt::print("floxd has started no such container since it began.\n");
}

}  // namespace

void add_node_starts(CLI::App& node) {
  auto options = std::make_shared<NodeStartsOptions>();
  auto* command =
      node.add_subcommand("starts", "Show how the last containers started, and what others wait for");
  command->add_option("--pod", options->pod, "only those of a pod, as NAMESPACE/NAME");
  add_json(*command, options->json);
  command->footer(
      "floxd knows the starts since it began: the last 128 of each namespace. In a pod these are the starts "
      "of the\n"
      "pod's own namespace.\n\n"
      "Examples:\n  flox node starts\n  flox node starts --pod shop/web-7d9c --json");
  command->callback([options] { show_starts(*options); });
}

}  // namespace flox::cli
