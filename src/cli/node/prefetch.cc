// flox node prefetch: has floxd fetch environments before pods need them.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/settings/units.h"
#include "cli/local_or_pod.h"
#include "cli/node/ask_floxd.h"
#include "cli/node/commands.h"
#include "cli/progress_line.h"
#include "cli/variables.h"
#include "node/floxd/config.h"
#include "protocol/prefetch.ttrpc.h"

namespace flox::cli {
namespace {

using prefetch::v1::Answer;
using prefetch::v1::Prefetch;
using prefetch::v1::Prefetches;

struct NodePrefetchOptions {
  std::vector<std::string> environments;
  std::string deadline;
  bool wait = false, cancel = false, json = false;
};

constexpr auto look_again = std::chrono::milliseconds(500);
// A floxd that is upgraded is away for a moment, and goes on.
constexpr auto patience = std::chrono::seconds(60);

template <typename Request>
Request request_for(const std::vector<std::string>& environments) {
  Request request;
  for (const std::string& name : environments) request.add_environments(name);
  return request;
}

bool is_settled(const Prefetch& one) { return one.state() != "waiting" && one.state() != "fetching"; }

std::string progress_of(const Prefetch& one) {
  std::string text = fmt::format("{} of {}", one.paths_done(), count_text(one.paths_total(), "path"));
  if (one.bytes_total() > 0)
    text += fmt::format(", {} of {}", size_text(one.bytes_fetched()), size_text(one.bytes_total()));
  if (one.bytes_per_second() > 0) text += fmt::format(", {}/s", size_text(one.bytes_per_second()));
  return text;
}

std::string state_of(const Prefetch& one) {
  if (one.state() == "fetching") return fmt::format("is being fetched ({})", progress_of(one));
  if (one.state() == "present") return fmt::format("is present ({})", size_text(one.closure_size()));
  if (one.state() == "used") return "is in use";
  if (one.state() == "waiting")
    return one.reason().empty() ? "waits for its turn" : "waits for its next attempt: " + one.reason();
  return one.reason();
}

void print(const Answer& answer) {
  for (const Prefetch& one : answer.prefetches()) {
    const char* mark = one.state() == "failed" ? "✘" : is_settled(one) ? "✔" : "ℹ";
    fmt::print("{} {}{} {}\n", mark, one.tenant().empty() || in_pod() ? "" : one.tenant() + ": ",
               one.environment(), state_of(one));
    if (!one.advice().empty()) fmt::print("  → {}\n", one.advice());
  }
}

void print_json_of(const Answer& answer) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Prefetch& one : answer.prefetches())
    list.push_back({{"environment", one.environment()},
                    {"namespace", one.tenant()},
                    {"state", one.state()},
                    {"profile", one.profile()},
                    {"closure_size", one.closure_size()},
                    {"reason", one.reason()},
                    {"advice", one.advice()},
                    {"asked_at", one.asked_at()},
                    {"deadline", one.deadline()},
                    {"kept_until", one.kept_until()},
                    {"paths_total", one.paths_total()},
                    {"paths_done", one.paths_done()},
                    {"bytes_total", one.bytes_total()},
                    {"bytes_fetched", one.bytes_fetched()}});
  fmt::print("{}\n", nlohmann::ordered_json{{"prefetches", list}}.dump(2));
}

// What was asked for here: the node's operator sees what pods have asked for, too.
Answer own_of(Answer answer) {
  if (in_pod()) return answer;
  Answer own;
  for (Prefetch& one : *answer.mutable_prefetches())
    if (one.tenant().empty()) own.add_prefetches()->Swap(&one);
  return own;
}

Answer show_until_settled(const std::vector<std::string>& environments) {
  ProgressLine line;
  auto last_answer = std::chrono::steady_clock::now();
  for (;; std::this_thread::sleep_for(look_again)) {
    Answer answer;
    try {
      answer = own_of(ask_floxd(Prefetches::Show, request_for<prefetch::v1::ShowRequest>(environments)));
      last_answer = std::chrono::steady_clock::now();
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::unavailable || std::chrono::steady_clock::now() - last_answer > patience)
        throw;
      continue;
    }
    const auto& all = answer.prefetches();
    const auto settled = std::ranges::count_if(all, is_settled);
    if (settled == all.size()) return answer;
    if (!line.shown()) continue;
    const auto now = std::ranges::find_if(all, [](const Prefetch& one) { return one.state() == "fetching"; });
    line.show(fmt::format(
        "{} of {}{}", settled, count_text(static_cast<uint64_t>(all.size()), "environment"),
        now == all.end() ? std::string() : fmt::format("; {}: {}", now->environment(), progress_of(*now))));
  }
}

void node_prefetch(const NodePrefetchOptions& options) {
  Answer answer;
  if (options.environments.empty()) {
    if (options.wait || options.cancel || !options.deadline.empty())
      throw Error(ErrorKind::invalid_input, "no environment is named",
                  "Name environments (OWNER/NAME[:GENERATION]), packages (NAME[@VERSION]) or store paths.");
    answer = ask_floxd(Prefetches::Show, prefetch::v1::ShowRequest());
    if (!options.json && answer.prefetches().empty()) fmt::print("Nothing was asked to be prefetched.\n");
  } else if (options.cancel) {
    answer = ask_floxd(Prefetches::Cancel, request_for<prefetch::v1::CancelRequest>(options.environments));
    if (!options.json)
      for (const Prefetch& one : answer.prefetches()) fmt::print("✔ {} is cancelled\n", one.environment());
  } else {
    auto request = request_for<prefetch::v1::AddRequest>(options.environments);
    if (!options.deadline.empty())
      request.set_deadline_seconds(static_cast<uint64_t>(
          in_context("--deadline", [&] { return parse_duration(options.deadline); }).count()));
    answer = ask_floxd(Prefetches::Add, request);
    if (options.wait) answer = show_until_settled(options.environments);
  }
  if (options.json)
    print_json_of(answer);
  else if (!options.cancel)
    print(answer);
  const bool failed =
      !options.environments.empty() && !options.cancel &&
      std::ranges::any_of(answer.prefetches(), [](const Prefetch& one) { return one.state() == "failed"; });
  if (failed) throw CLI::RuntimeError(exit_failure);
}

}  // namespace

void add_node_prefetch(CLI::App& node) {
  auto options = std::make_shared<NodePrefetchOptions>();
  auto* command = node.add_subcommand("prefetch", "Fetch environments onto this node before pods need them");
  command->add_option("environments", options->environments,
                      "OWNER/NAME[:GENERATION], NAME[@VERSION] or store paths (default: show what was asked "
                      "for)");
  auto* wait = command->add_flag("--wait", options->wait, "wait until all have come or failed");
  auto* deadline = command->add_option(
      "--deadline", options->deadline,
      "how long fetching may take: 90s, 15m, 2h (default and most: the node's prefetch_time)");
  command->add_flag("--cancel", options->cancel, "end these, and let garbage collection have what has come")
      ->excludes(wait)
      ->excludes(deadline);
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "It is fetched with low priority, and kept until a pod uses it or prefetch_keep has passed. In a pod "
      "it "
      "is asked for\nthe pod's namespace, as far as the node's policy allows.\n\n"
      "Exit code: 0 all is well, 1 something failed.\n\n"
      "Examples:\n  flox node prefetch --wait acme/web:8\n  flox node prefetch --cancel acme/web:8\n"
      "  flox node prefetch");
  command->callback([options] { node_prefetch(*options); });
}

}  // namespace flox::cli
