// kubectl flox doctor: what is wrong with flox on any node.
#include <memory>

#include "base/settings/units.h"
#include "kubectl/commands/commands.h"
#include "kubectl/pod/fields.h"

namespace flox::kubectl {
namespace {

using nlohmann::ordered_json;

struct DoctorOptions {
  std::vector<std::string> nodes;
  bool all = false, json = false;
};

void print_finding(const nlohmann::json& finding) {
  const std::string severity = text_at(finding, {"severity"});
  const char* mark = severity == "ok" ? "✔" : severity == "warning" ? "!" : "✘";
  say("  {} {:<12} {}", mark, printable(text_at(finding, {"subject"}), 60),
      printable(text_at(finding, {"text"})));
  if (const std::string advice = text_at(finding, {"advice"}); !advice.empty())
    say("  {:15}→ {}", "", printable(advice));
}

void print_node(const NodeAnswer& one, bool all) {
  if (!one.trouble.empty()) return say("✘ {}: {}", one.node.name, one.trouble);
  size_t checks = 0, complaints = 0;
  for (const auto& finding : list_at(one.answer, {"findings"})) {
    ++checks;
    if (text_at(finding, {"severity"}) != "ok") ++complaints;
  }
  say("{} {}: {}, {}", complaints == 0 ? "✔" : "✘", one.node.name, count_text(checks, "check"),
      complaints == 0 ? "all is well" : count_text(complaints, "complaint"));
  for (const auto& finding : list_at(one.answer, {"findings"}))
    if (all || text_at(finding, {"severity"}) != "ok") print_finding(finding);
}

void examine(Common& common, const DoctorOptions& options) {
  const Kubectl kubectl = common.kubectl();
  const auto answers = ask_nodes(kubectl, flox_nodes(kubectl, options.nodes), {"node", "doctor", "--json"});
  ordered_json list = ordered_json::array();
  for (const NodeAnswer& one : answers) {
    const std::string severity = text_at(one.answer, {"severity"});
    const bool is_unseen = !one.trouble.empty() && !one.node.is_broken;
    common.found(one.node.is_broken || (!is_unseen && severity != "ok"), is_unseen);
    list.push_back({{"node", one.node.name},
                    {"severity", !one.trouble.empty() ? "error" : severity},
                    {"trouble", one.trouble},
                    {"findings", ordered_json(at(one.answer, {"findings"}))}});
    if (!options.json) print_node(one, options.all);
  }
  if (options.json) print_json({{"nodes", list}});
}

}  // namespace

void add_doctor(CLI::App& app, Common& common) {
  auto options = std::make_shared<DoctorOptions>();
  auto* command = app.add_subcommand("doctor", "Check all nodes and say how to fix what is wrong");
  command->add_option("NODE", options->nodes, "only these nodes");
  command->add_flag("-a,--all", options->all, "print what is well, too");
  command->add_flag("--json", options->json, "print JSON: for each node what 'flox node doctor --json' says");
  command->footer(
      fmt::format("{}\n\nExamples:\n  kubectl flox doctor\n  kubectl flox doctor node-1 --all", exit_codes));
  command->callback([options, &common] { examine(common, *options); });
}

}  // namespace flox::kubectl
