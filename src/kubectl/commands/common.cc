#include "kubectl/commands/commands.h"

namespace flox::kubectl {

std::vector<std::string> Common::namespace_argument() const {
  if (pod_namespace.empty()) return {};
  return {"--namespace=" + pod_namespace};
}

void Common::found(bool is_wrong, bool is_unseen) noexcept {
  if (is_wrong)
    exit_code = exit_wrong;
  else if (is_unseen && exit_code == 0)
    exit_code = exit_unseen;
}

void add_common_options(CLI::App& app, Common& common) {
  app.add_option("-n,--namespace", common.pod_namespace, "namespace of the pod (default: kubectl's)");
  app.add_option("--context", common.cluster.context, "context of the kubeconfig (default: the current one)");
  app.add_option("--kubeconfig", common.cluster.kubeconfig, "file of the kubeconfig (default: kubectl's)");
  app.add_option("--flox-namespace", common.cluster.node_namespace, "namespace of the DaemonSet flox-node")
      ->capture_default_str();
  app.add_option_function<unsigned>(
         "--time", [&common](unsigned seconds) { common.cluster.time = std::chrono::seconds(seconds); },
         "seconds that each question may take (default 30)")
      ->check(CLI::Range(1U, 3600U));
}

void print_json(const nlohmann::ordered_json& json) {
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace flox::kubectl
