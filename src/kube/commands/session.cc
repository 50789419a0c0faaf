#include "kube/commands/session.h"

#include <cstdlib>

#include "base/command_line/program.h"
#include "base/settings/units.h"

namespace flox::kube {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Session open_session(const CommonOptions& options) {
  std::string state = options.state.empty() ? environment("FLOX_KUBE_STATE") : options.state;
  Session session{StateDir(state.empty() ? "/var/lib/flox/kube" : state), {}, options.namespace_};
  if (supervisor_runs(session.state)) session.settings = last_settings(session.state);
  if (const std::string value = environment("CONTAINERD_ADDRESS"); !value.empty())
    session.settings.endpoint = value;
  if (const std::string value = environment("CONTAINER_RUNTIME_ENDPOINT"); !value.empty())
    session.settings.endpoint = value;
  if (!options.endpoint.empty()) session.settings.endpoint = options.endpoint;
  if (!session.settings.endpoint.starts_with("unix://") && session.settings.endpoint.starts_with("/"))
    session.settings.endpoint = "unix://" + session.settings.endpoint;
  if (const std::string value = environment("FLOX_KUBE_CGROUP_PARENT"); !value.empty())
    session.settings.cgroup_parent = value;
  if (!options.cgroup_parent.empty()) session.settings.cgroup_parent = options.cgroup_parent;
  return session;
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  app.add_option("--state", options.state, "state directory (FLOX_KUBE_STATE; default: /var/lib/flox/kube)");
  app.add_option(
      "--runtime-endpoint", options.endpoint,
      "socket of containerd's CRI service (CONTAINER_RUNTIME_ENDPOINT or CONTAINERD_ADDRESS; default: "
      "unix:///run/containerd/containerd.sock)");
  app.add_option("--cgroup-parent", options.cgroup_parent,
                 "parent of the pods' cgroups (FLOX_KUBE_CGROUP_PARENT; default: /flox-kube)");
  app.add_option("-n,--namespace", options.namespace_,
                 "namespace (play: \"default\"; other commands: all namespaces)");
}

void add_timeout(CLI::App& command, std::chrono::seconds& timeout) {
  command.add_option_function<std::string>(
      "--timeout",
      [&timeout](const std::string& text) {
        try {
          timeout = parse_duration(text);
        } catch (const Error& error) {
          fail_usage(error.with_context("--timeout").what(), error.advice());
        }
      },
      fmt::format("how long to wait: 90s, 5m, 1h (default: {}s)", timeout.count()));
}

std::string join_target(const std::vector<std::string>& words) {
  std::string target;
  for (const auto& word : words) target += (target.empty() ? "" : "/") + word;
  return target;
}

}  // namespace flox::kube
