// kubectl flox prefetch: environments on all nodes before pods need them.
#include <memory>

#include "base/command_line/program.h"
#include "base/settings/units.h"
#include "kubectl/commands/commands.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

using nlohmann::ordered_json;

struct PrefetchOptions {
  std::vector<std::string> environments, nodes;
  std::string deadline;
  bool wait = false, cancel = false, json = false;
};

// A node ends its waiting by its own prefetch_time.
constexpr auto longest_wait = std::chrono::hours(48);

std::vector<std::string> command_of(const PrefetchOptions& options) {
  std::vector<std::string> command{"node", "prefetch", "--json"};
  if (options.wait) command.emplace_back("--wait");
  if (options.cancel) command.emplace_back("--cancel");
  if (!options.deadline.empty()) command.push_back("--deadline=" + options.deadline);
  if (!options.environments.empty()) command.emplace_back("--");
  command.insert(command.end(), options.environments.begin(), options.environments.end());
  return command;
}

void print_prefetch(const std::string& node, const nlohmann::json& one, bool cancel) {
  const std::string state = text_at(one, {"state"});
  const char* mark = state == "failed" ? "✘" : state == "present" || state == "used" ? "✔" : "ℹ";
  const std::string tenant = printable(text_at(one, {"namespace"}), 100);
  std::string text = cancel ? "is cancelled" : printable(state, 60);
  if (state == "fetching" && !cancel)
    text += fmt::format(", {} of {} paths", number_at(one, {"paths_done"}), number_at(one, {"paths_total"}));
  if (const std::string reason = text_at(one, {"reason"}); !reason.empty()) text += ": " + printable(reason);
  say("{} {}: {}{}: {}", cancel ? "✔" : mark, node, tenant.empty() ? "" : tenant + ": ",
      printable(text_at(one, {"environment"}), 300), text);
  if (const std::string advice = text_at(one, {"advice"}); !advice.empty()) say("  → {}", printable(advice));
}

void prefetch(Common& common, const PrefetchOptions& options) {
  if (options.environments.empty() && (options.wait || options.cancel || !options.deadline.empty()))
    fail_usage("no environment is named",
               "Name environments (OWNER/NAME[:GENERATION]), packages (NAME[@VERSION]) or store paths.");
  if (!options.deadline.empty()) try {
      parse_duration(options.deadline);
    } catch (const Error& error) {
      fail_usage(fmt::format("--deadline: {}", error.what()), error.advice());
    }
  const Kubectl kubectl = common.kubectl();
  const std::chrono::seconds time =
      options.wait ? std::chrono::seconds(longest_wait) : std::chrono::seconds(0);
  const auto answers = ask_nodes(kubectl, flox_nodes(kubectl, options.nodes), command_of(options), time);
  ordered_json list = ordered_json::array();
  for (const NodeAnswer& one : answers) {
    const nlohmann::json& prefetches = list_at(one.answer, {"prefetches"});
    bool has_failed = one.node.is_broken;
    for (const auto& each : prefetches)
      if (text_at(each, {"state"}) == "failed" && !options.cancel) has_failed = true;
    common.found(has_failed, !one.trouble.empty());
    list.push_back(
        {{"node", one.node.name}, {"trouble", one.trouble}, {"prefetches", ordered_json(prefetches)}});
    if (options.json) continue;
    if (!one.trouble.empty()) say("✘ {}: {}", one.node.name, one.trouble);
    for (const auto& each : prefetches) print_prefetch(one.node.name, each, options.cancel);
    if (one.trouble.empty() && prefetches.empty())
      say("ℹ {}: nothing was asked to be prefetched", one.node.name);
  }
  if (options.json) print_json({{"nodes", list}});
}

}  // namespace

void add_prefetch(CLI::App& app, Common& common) {
  auto options = std::make_shared<PrefetchOptions>();
  auto* command = app.add_subcommand("prefetch", "Fetch environments onto nodes before pods need them");
  command->add_option(
      "ENV", options->environments,
      "OWNER/NAME[:GENERATION], NAME[@VERSION] or store paths (default: show what was asked for)");
  command->add_option("--node", options->nodes, "only onto this node; may be repeated")
      ->allow_extra_args(false);
  auto* wait = command->add_flag("--wait", options->wait, "wait until all have come or failed on all nodes");
  auto* deadline =
      command->add_option("--deadline", options->deadline, "how long fetching may take: 90s, 15m, 2h");
  command->add_flag("--cancel", options->cancel, "end these, and let garbage collection have what has come")
      ->excludes(wait)
      ->excludes(deadline);
  command->add_flag("--json", options->json,
                    "print JSON: for each node what 'flox node prefetch --json' says");
  command->footer(
      fmt::format("{}\n\nExamples:\n  kubectl flox prefetch --wait acme/web:8\n  kubectl flox prefetch "
                  "--node node-1 hello@1.0\n"
                  "  kubectl flox prefetch --cancel acme/web:8",
                  exit_codes));
  command->callback([options, &common] { prefetch(common, *options); });
}

}  // namespace flox::kubectl
