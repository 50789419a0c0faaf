#include "node/doctor/nri_check.h"

#include <filesystem>
#include <string>

#include "base/os/file.h"
#include "base/settings/units.h"
#include "node/doctor/policy_check.h"
#include "node/installer/containerd_config.h"

namespace flox::node {

std::vector<Finding> check_nri(const Config& config, const DoctorOptions& options, std::string_view metrics) {
  std::vector<Finding> findings;
  if (config.nri_socket.empty()) return findings;
  const auto add = [&](Severity severity, std::string text, std::string advice) {
    findings.push_back({severity, "plugin", std::move(text), std::move(advice)});
  };
  const Containerd containerd = find_containerd("/", options.containerd_config);
  const std::string text =
      !containerd.k3s && fs::exists(containerd.config) ? read_file(containerd.config) : std::string();
  if (!containerd.k3s)
    for (const std::string& fault : plugin_faults(containerd, text))
      add(Severity::warning, fmt::format("{}: {}", containerd.config.string(), fault),
          "Run 'flox node install --nri' to correct it, or set nri_socket = \"\" to do without.");
  if (const fs::path socket = plugin_socket(containerd, text); socket != config.nri_socket && !containerd.k3s)
    add(Severity::warning,
        fmt::format("nri_socket is {}, and containerd's is {}", config.nri_socket.string(), socket.string()),
        "Give both the same.");
  if (metrics.empty()) return findings;  // floxd does not answer, which is said elsewhere
  if (metric_in(metrics, "flox_nri_connected") > 0)
    add(Severity::ok, "containerd asks floxd about pods of every runtime", "");
  else
    add(Severity::error,
        fmt::format("floxd is no plugin of containerd's at {}: pods without the runtime handler flox start "
                    "without their packages",
                    config.nri_socket.string()),
        "Restart containerd if its configuration is new, and read floxd's log: journalctl -u floxd.");
  if (const double missed = metric_in(metrics, "flox_nri_unprepared_containers"); missed > 0)
    add(Severity::warning,
        fmt::format("{} started while floxd was away, and without packages",
                    count_text(static_cast<size_t>(missed), "container")),
        "Delete their pods (floxd's log names them), and let pods say that they need the plugin: annotation "
        "required-plugins.noderesource.dev: '[\"flox\"]'.");
  return findings;
}

}  // namespace flox::node
