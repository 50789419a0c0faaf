// kubectl flox sbom: what a pod consists of, as a bill of materials.
#include <memory>

#include "base/command_line/program.h"
#include "kubectl/commands/commands.h"
#include "kubectl/commands/pod_node.h"

namespace flox::kubectl {
namespace {

struct SbomOptions {
  std::string pod;
  std::string format = "spdx";
};

void print_bill(Common& common, const SbomOptions& options) {
  const Kubectl kubectl = common.kubectl();
  const PodState pod = find_pod(kubectl, common, options.pod);
  const std::string bill = flox_on_node_of(kubectl, pod, {"sbom", "--format", options.format, "--pod"});
  std::fwrite(bill.data(), 1, bill.size(), stdout);
}

}  // namespace

void add_sbom(CLI::App& app, Common& common) {
  auto options = std::make_shared<SbomOptions>();
  auto* command = app.add_subcommand("sbom", "Print a software bill of materials of a pod");
  command->add_option("POD", options->pod, "name of the pod")->required();
  command
      ->add_option("--format", options->format,
                   "spdx (SPDX 2.3, the default) or cyclonedx (CycloneDX 1.6), in JSON")
      ->check(CLI::IsMember({"spdx", "cyclonedx"}));
  command->footer(
      fmt::format("{}\n\nExamples:\n  kubectl flox sbom web-7d9c -n shop >web.spdx.json", exit_codes));
  command->callback([options, &common] { print_bill(common, *options); });
}

}  // namespace flox::kubectl
