#include "kube/commands/session.h"

#include "base/command_line/program.h"
#include "base/settings/options.h"
#include "base/settings/read.h"
#include "base/settings/units.h"

namespace flox::kube {

Session open_session(const CommonOptions& options) {
  const KubeSettings& wanted = options.settings;
  // An empty variable names no directory.
  Session session{
      StateDir(wanted.state.empty() ? KubeSettings().state : wanted.state), {}, options.namespace_};
  if (supervisor_runs(session.state)) session.settings = last_settings(session.state);
  std::string& endpoint = session.settings.endpoint;
  if (!wanted.containerd_address.empty()) endpoint = wanted.containerd_address;
  if (!wanted.endpoint.empty()) endpoint = wanted.endpoint;
  if (endpoint.starts_with("/")) endpoint = "unix://" + endpoint;
  if (!wanted.cgroup_parent.empty()) session.settings.cgroup_parent = wanted.cgroup_parent;
  return session;
}

void add_common_options(CLI::App& app, CommonOptions& options) {
  SettingGroup* const settings[] = {&options.settings};
  read_variables(settings);
  add_setting_options(app, options.settings);
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
