// kubectl flox status: how flox is on all nodes.
#include <algorithm>
#include <memory>
#include <set>

#include "base/settings/units.h"
#include "kubectl/commands/commands.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

using nlohmann::ordered_json;

struct NodeStatus {
  std::string floxd;    // "running", or what is wrong
  std::string version;  // empty: not known
  bool is_wrong = false, is_unseen = false;
};

NodeStatus status_of(const NodeAnswer& one) {
  if (!one.trouble.empty())
    return {.floxd = one.trouble, .is_wrong = one.node.is_broken, .is_unseen = !one.node.is_broken};
  const std::string state = printable(text_at(one.answer, {"floxd", "state"}), 300);
  return {.floxd = state.empty() ? "an answer without floxd's state" : state,
          .version = printable(text_at(one.answer, {"floxd", "version"}), 60),
          .is_wrong = state != "running"};
}

std::string bytes_at(const nlohmann::json& answer, Path path) {
  const int64_t bytes = number_at(answer, path);
  return bytes <= 0 ? "-" : size_text(static_cast<uint64_t>(bytes));
}

int64_t in_queue(const nlohmann::json& answer, const char* what) {
  int64_t sum = 0;
  for (const char* lane : {"start", "pod", "prefetch"})
    sum += number_at(answer, {"floxd", "queue", lane, what});
  return sum;
}

// Prefetches that are on their way, and those that failed.
std::string prefetches_of(const nlohmann::json& answer) {
  size_t all = 0, under_way = 0, failed = 0;
  for (const auto& one : list_at(answer, {"prefetches"})) {
    const std::string state = text_at(one, {"state"});
    ++all;
    if (state == "waiting" || state == "fetching") ++under_way;
    if (state == "failed") ++failed;
  }
  std::string text = std::to_string(all);
  if (under_way > 0) text += fmt::format(", {} under way", under_way);
  if (failed > 0) text += fmt::format(", {} failed", failed);
  return text;
}

// Peers that have given paths, and those that are not asked at the moment.
std::string peers_of(const nlohmann::json& answer) {
  const nlohmann::json& known = list_at(answer, {"peers", "known"});
  const auto shunned =
      std::ranges::count_if(known, [](const auto& peer) { return flag_at(peer, {"shunned"}); });
  return shunned == 0 ? std::to_string(known.size()) : fmt::format("{}, {} shunned", known.size(), shunned);
}

void print_table_of(const std::vector<NodeAnswer>& answers) {
  std::vector<std::vector<std::string>> rows{{"NODE", "VERSION", "STORE", "PATHS", "FREE", "RUNNING",
                                              "WAITING", "PREFETCHES", "PEERS", "LEASES", "FLOXD"}};
  std::set<std::string> versions;
  for (const NodeAnswer& one : answers) {
    const NodeStatus status = status_of(one);
    if (!status.version.empty()) versions.insert(status.version);
    const nlohmann::json& answer = one.answer;
    if (answer.is_null()) {
      std::vector<std::string> row(rows.front().size(), "-");
      row.front() = one.node.name;
      row.back() = status.floxd;
      rows.push_back(std::move(row));
    } else {
      rows.push_back({one.node.name, status.version.empty() ? "-" : status.version,
                      bytes_at(answer, {"store_bytes"}), std::to_string(number_at(answer, {"store_paths"})),
                      bytes_at(answer, {"disk", "free"}), std::to_string(in_queue(answer, "running")),
                      std::to_string(in_queue(answer, "waiting")), prefetches_of(answer), peers_of(answer),
                      std::to_string(list_at(answer, {"leases"}).size()), status.floxd});
    }
  }
  print_table(rows);
  if (versions.size() > 1)
    say("\nℹ The nodes have {} versions of floxd: {}.", versions.size(), fmt::join(versions, ", "));
}

void show_status(Common& common, const std::vector<std::string>& names, bool json) {
  const Kubectl kubectl = common.kubectl();
  const auto answers = ask_nodes(kubectl, flox_nodes(kubectl, names), {"node", "status", "--json"});
  ordered_json list = ordered_json::array();
  for (const NodeAnswer& one : answers) {
    const NodeStatus status = status_of(one);
    common.found(status.is_wrong, status.is_unseen);
    list.push_back({{"node", one.node.name},
                    {"state", status.is_unseen  ? "unknown"
                              : status.is_wrong ? "wrong"
                                                : "ok"},
                    {"trouble", one.trouble},
                    {"status", one.answer}});
  }
  if (json)
    print_json({{"nodes", list}});
  else
    print_table_of(answers);
}

}  // namespace

void add_status(CLI::App& app, Common& common) {
  struct Options {
    std::vector<std::string> nodes;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("status", "Show floxd, its store and its queue on all nodes");
  command->add_option("NODE", options->nodes, "only these nodes");
  command->add_flag("--json", options->json, "print JSON: for each node what 'flox node status --json' says");
  command->footer(
      fmt::format("{}\n\nExamples:\n  kubectl flox status\n  kubectl flox status node-1 --json", exit_codes));
  command->callback([options, &common] { show_status(common, options->nodes, options->json); });
}

}  // namespace flox::kubectl
