// flox node doctor, flox node label: how the node is, and what Kubernetes should know of it.
#include "node/doctor/doctor.h"

#include <fmt/color.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/os/process.h"
#include "cli/node/commands.h"
#include "node/floxd/config.h"
#include "node/installer/labels.h"

namespace flox::cli {
namespace {

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

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

void examine(const node::DoctorOptions& options, bool as_json) {
  const std::vector<node::Finding> findings = node::examine_node(Config::load(), options);
  as_json ? print_json(findings) : print(findings);
  const node::Severity severity = worst(findings);
  if (!as_json)
    fmt::print("\n{}\n", severity == node::Severity::ok ? "This node is ready for imageless pods."
                         : severity == node::Severity::warning
                             ? "This node runs imageless pods; the warnings deserve a look."
                             : "This node does not run imageless pods as it is.");
  if (severity != node::Severity::ok) throw CLI::RuntimeError(static_cast<int>(severity));
}

void label(const std::string& name, const std::string& kubeconfig, bool print_only) {
  std::vector<std::string> argv = {"kubectl"};
  if (!kubeconfig.empty()) argv.insert(argv.end(), {"--kubeconfig", kubeconfig});
  argv.insert(argv.end(), {"label", "node", name, "--overwrite"});
  for (const auto& [key, value] : node::labels_of_this_machine()) argv.push_back(key + "=" + value);
  if (print_only) {
    fmt::print("{}\n", fmt::join(argv, " "));
    return;
  }
  in_context(fmt::format("labelling node {}", name), [&] {
    try {
      run_checked({.argv = argv});
    } catch (const Error& error) {
      throw error.with_advice("run this where kubectl reaches the cluster: flox node label --print");
    }
  });
  for (const auto& [key, value] : node::labels_of_this_machine()) fmt::print("✔ {}={}\n", key, value);
}

}  // namespace

void add_node_doctor(CLI::App& node) {
  struct Options {
    node::DoctorOptions doctor{.containerd_config = {}, .kubeconfig = {}, .node_name = host_name()};
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      node.add_subcommand("doctor", "Tell what is right and wrong with this node, and what to do about it");
  command->add_option("--containerd-config", options->doctor.containerd_config,
                      "containerd's configuration (default: found)");
  command->add_option("--kubeconfig", options->doctor.kubeconfig,
                      "ask the cluster too: RuntimeClass and labels");
  command->add_option("--node", options->doctor.node_name, "the node's name in the cluster")
      ->capture_default_str();
  command->add_flag("--json", options->json, "for programs");
  command->footer("Exit code: 0 all is well, 1 there are warnings, 2 there are errors.");
  command->callback([options] { examine(options->doctor, options->json); });
}

void add_node_label(CLI::App& node) {
  struct Options {
    std::string name = host_name(), kubeconfig;
    bool print = false;
  };
  auto options = std::make_shared<Options>();
  auto* command =
      node.add_subcommand("label", "Label this node in the cluster: the runtime, and what its CPU can do");
  command->add_option("NODE", options->name, "the node's name in the cluster")->capture_default_str();
  command->add_option("--kubeconfig", options->kubeconfig, "the cluster (default: as kubectl finds it)");
  command->add_flag("--print", options->print, "print the kubectl command instead");
  command->callback([options] { label(options->name, options->kubeconfig, options->print); });
}

}  // namespace flox::cli
