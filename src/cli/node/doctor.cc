// flox node doctor: checks this node.
#include "node/doctor/doctor.h"

#include <fmt/color.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/installer/labels.h"

namespace flox::cli {
namespace {

void print(const std::vector<node::Finding>& findings) {
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  const auto style = [&](node::Severity severity) {
    if (!colour) return fmt::text_style();
    return severity == node::Severity::ok        ? fg(fmt::terminal_color::green)
           : severity == node::Severity::warning ? fg(fmt::terminal_color::yellow)
                                                 : fg(fmt::terminal_color::red);
  };
  std::string subject;
  for (const auto& finding : findings) {
    const char* mark = finding.severity == node::Severity::ok        ? "✔"
                       : finding.severity == node::Severity::warning ? "!"
                                                                     : "✘";
    fmt::print("{} {:<12} {}\n", fmt::styled(mark, style(finding.severity)),
               finding.subject == subject ? "" : finding.subject, finding.text);
    if (!finding.advice.empty()) fmt::print("{:15}→ {}\n", "", finding.advice);
    subject = finding.subject;
  }
}

void print_json(const std::vector<node::Finding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& finding : findings)
    list.push_back({{"severity", to_string(finding.severity)},
                    {"subject", finding.subject},
                    {"text", finding.text},
                    {"advice", finding.advice}});
  fmt::print("{}\n", nlohmann::json({{"severity", to_string(worst(findings))}, {"findings", list}}).dump(2));
}

// With the settings that floxd reads: whoever examines the node may have others of their own.
void examine(const node::DoctorOptions& options, bool as_json) {
  const std::vector<node::Finding> findings = node::examine_node(Config::load(SettingsOf::machine), options);
  as_json ? print_json(findings) : print(findings);
  const node::Severity severity = worst(findings);
  if (!as_json)
    fmt::print("\n{}\n", severity == node::Severity::ok ? "This node is ready for imageless pods."
                         : severity == node::Severity::warning
                             ? "This node runs imageless pods; look at the warnings."
                             : "This node does not run imageless pods yet: fix the errors.");
  if (severity != node::Severity::ok) throw CLI::RuntimeError(static_cast<int>(severity));
}

}  // namespace

void add_node_doctor(CLI::App& node) {
  struct NodeDoctorOptions {
    node::DoctorOptions doctor{.containerd_config = {}, .kubeconfig = {}, .node_name = node::host_name()};
    bool json = false;
  };
  auto options = std::make_shared<NodeDoctorOptions>();
  auto* command = node.add_subcommand("doctor", "Check this node and say how to fix what is wrong");
  command->add_option("--containerd-config", options->doctor.containerd_config,
                      "configuration file of containerd (default: the one that containerd uses)");
  command->add_option("--kubeconfig", options->doctor.kubeconfig,
                      "check the cluster too (RuntimeClass, labels), through this kubeconfig");
  command->add_option("--node", options->doctor.node_name, "name of the node in the cluster")
      ->capture_default_str();
  command->add_flag("--json", options->json, "print JSON");
  command->footer(
      "Exit code: 0 all is well, 1 there are warnings, 2 there are errors.\n\n"
      "Examples:\n  flox node doctor\n  flox node doctor --kubeconfig ~/.kube/config --json");
  command->callback([options] { examine(options->doctor, options->json); });
}

}  // namespace flox::cli
