// flox-kube, run as `flox kube`: Kubernetes manifests on this machine's containerd.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "kube/commands.h"

namespace {

using namespace flox;
using namespace flox::kube;

struct CommonOptions {
  std::string state, endpoint, cgroup_parent, namespace_;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

// Command line, then environment, then what the supervisor of this state directory runs with, then the default.
Session open_session(const CommonOptions& options) {
  std::string state = options.state.empty() ? environment("FLOX_KUBE_STATE") : options.state;
  Session session{StateDir(state.empty() ? "/var/lib/flox/kube" : state), {}, options.namespace_};
  if (supervisor_runs(session.state)) session.settings = last_settings(session.state);
  if (const std::string value = environment("CONTAINERD_ADDRESS"); !value.empty()) session.settings.endpoint = value;
  if (const std::string value = environment("CONTAINER_RUNTIME_ENDPOINT"); !value.empty()) session.settings.endpoint = value;
  if (!options.endpoint.empty()) session.settings.endpoint = options.endpoint;
  if (!session.settings.endpoint.starts_with("unix://") && session.settings.endpoint.starts_with("/"))
    session.settings.endpoint = "unix://" + session.settings.endpoint;
  if (const std::string value = environment("FLOX_KUBE_CGROUP_PARENT"); !value.empty()) session.settings.cgroup_parent = value;
  if (!options.cgroup_parent.empty()) session.settings.cgroup_parent = options.cgroup_parent;
  return session;
}

std::chrono::seconds read_duration(const std::string& text) {
  size_t used = 0;
  unsigned long value = 0;
  try {
    value = std::stoul(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  const std::string unit = used ? text.substr(used) : "?";
  if (unit == "s" || unit.empty()) return std::chrono::seconds(value);
  if (unit == "m") return std::chrono::minutes(value);
  if (unit == "h") return std::chrono::hours(value);
  fail(ErrorKind::invalid_input, "--timeout {}: write a number of seconds, or 90s, 5m, 1h", text);
}

StringMap read_environment(const std::vector<std::string>& variables) {
  StringMap map;
  for (const auto& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) fail(ErrorKind::invalid_input, "--env {}: write NAME=VALUE", variable);
    map[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return map;
}

// kubectl's "deployment web" is "deployment/web".
std::string join_target(const std::vector<std::string>& words) {
  std::string target;
  for (const auto& word : words) target += (target.empty() ? "" : "/") + word;
  return target;
}

const char* examples = R"(Examples:
  flox kube play deploy/base/*.yaml                    what `kubectl apply -f` does on a cluster
  flox kube play -k deploy/overlays/avx2               a kustomize overlay
  flox kube play --env AWS_ENDPOINT_URL=http://10.88.0.1:5566 app.yaml
  flox kube ps -n ml-workloads
  flox kube logs -f deployment/ticket-processor --tail 50
  flox kube exec POD -- /bin/sh -c 'ls /nix/store | wc -l'
  flox kube set env deployment/ticket-processor FLOX_PACKAGE_VERSION=0.0.9
  flox kube down --all

Variables: FLOX_KUBE_STATE (--state), CONTAINER_RUNTIME_ENDPOINT or CONTAINERD_ADDRESS (--runtime-endpoint),
FLOX_KUBE_CGROUP_PARENT (--cgroup-parent).)";

int run(int argc, char** argv) {
  // What stands behind "--" is a command for `exec`, not for us.
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto separator = std::find(words.begin(), words.end(), "--");
  std::vector<std::string> command(separator == words.end() ? separator : separator + 1, words.end());

  CLI::App app{"Runs ordinary Kubernetes manifests on this machine's containerd, without a cluster."};
  app.name("flox kube");
  app.footer(examples);
  app.set_version_flag("--version", FLOX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  app.add_option("--state", common.state, "State directory (default /var/lib/flox/kube)");
  app.add_option("--runtime-endpoint", common.endpoint, "CRI socket (default unix:///run/containerd/containerd.sock)");
  app.add_option("--cgroup-parent", common.cgroup_parent, "Parent of the pods' cgroups (default /flox-kube)");
  app.add_option("-n,--namespace", common.namespace_, "Namespace (default: of play default, of the others all)");
  int exit_code = 0;

  PlayOptions play_options;
  std::vector<std::string> variables;
  std::string play_timeout = "120s";
  auto* play_command = app.add_subcommand("play", "Run manifests, or bring what runs in line with them");
  play_command->add_option("files", play_options.files, "Files, directories, or - for standard input");
  play_command->add_option("-k,--kustomize", play_options.kustomizations, "Directory with a kustomization.yaml");
  play_command->add_option("--env", variables, "NAME=VALUE for every container of what is played: stands in for what a cluster injects")->allow_extra_args(false);
  play_command->add_flag("--wait,!--no-wait", play_options.wait, "Wait until all pods are ready and Jobs done (default)");
  play_command->add_option("--timeout", play_timeout, "How long to wait (default 120s)");
  play_command->callback([&] {
    play_options.environment = read_environment(variables);
    play_options.timeout = read_duration(play_timeout);
    if (play_options.files.empty() && play_options.kustomizations.empty())
      throw Error(ErrorKind::invalid_input, "play needs manifests", "Name files or directories, - for standard input, or -k DIR.");
    play(open_session(common), play_options);
  });

  DownOptions down_options;
  std::string down_timeout = "120s";
  auto* down_command = app.add_subcommand("down", "End what was played and remove it");
  down_command->add_option("files", down_options.files, "The manifests that were played");
  down_command->add_option("-k,--kustomize", down_options.kustomizations, "Directory with a kustomization.yaml");
  down_command->add_flag("--all", down_options.all, "Everything");
  down_command->add_flag("--volumes", down_options.volumes, "Also the data of their PersistentVolumeClaims");
  down_command->add_option("--timeout", down_timeout, "How long to wait (default 120s)");
  down_command->callback([&] {
    down_options.timeout = read_duration(down_timeout);
    down(open_session(common), down_options);
  });

  bool as_json = false;
  auto* ps_command = app.add_subcommand("ps", "List pods");
  ps_command->add_flag("--json", as_json, "As JSON, with everything that is known of them");
  ps_command->callback([&] { ps(open_session(common), as_json); });

  LogsOptions logs_options;
  std::vector<std::string> target;
  long tail = -1;
  auto* logs_command = app.add_subcommand("logs", "Show what containers print");
  logs_command->add_option("target", target, "POD, deployment/NAME or job/NAME");
  logs_command->add_option("-l,--selector", logs_options.selector, "All pods with these labels: app=web,…");
  logs_command->add_option("-c,--container", logs_options.container, "Container (default: the first)");
  logs_command->add_flag("-f,--follow", logs_options.follow, "Go on until the pod ends");
  logs_command->add_option("--tail", tail, "Only the last so many lines");
  logs_command->add_flag("--timestamps", logs_options.timestamps, "With the time of each line");
  logs_command->callback([&] {
    logs_options.target = join_target(target);
    if (logs_options.target.empty() == logs_options.selector.empty())
      throw Error(ErrorKind::invalid_input, "logs needs either a pod or a selector", "As in: flox kube logs deployment/NAME, or: flox kube logs -l app=NAME");
    if (tail >= 0) logs_options.tail = static_cast<size_t>(tail);
    logs(open_session(common), logs_options);
  });

  std::string exec_container;
  bool interactive = false, tty = false;
  auto* exec_command = app.add_subcommand("exec", "Run a command in a container: exec POD [-c CONTAINER] -- COMMAND…");
  exec_command->add_option("pod", target, "POD or deployment/NAME")->required();
  exec_command->add_option("-c,--container", exec_container, "Container (default: the first)");
  exec_command->add_flag("-i,--stdin", interactive, "Not supported: give the command its input");
  exec_command->add_flag("-t,--tty", tty, "Not supported: give the command a terminal");
  exec_command->callback([&] {
    const Session session = open_session(common);
    if (target.size() > 1 && command.empty()) {  // without "--", as long as the command has no options
      command.assign(target.begin() + 1, target.end());
      target.resize(1);
    }
    if (command.empty()) throw Error(ErrorKind::invalid_input, "exec needs a command", "As in: flox kube exec POD -- ls -l /");
    if (interactive || tty) {
      const PodStatus pod = find_pod(session, join_target(target));
      throw Error(ErrorKind::unavailable, "exec has no input and no terminal here",
                  fmt::format("Leave out -i and -t; or: ctr -a {} -n k8s.io tasks exec -t --exec-id shell {} {}", session.settings.endpoint.substr(7),
                              find_container(pod, exec_container).id, fmt::join(command, " ")));
    }
    exit_code = exec(session, join_target(target), exec_container, command);
  });

  auto* set_command = app.add_subcommand("set", "Change what was played")->require_subcommand(1);
  std::vector<std::string> changes;
  auto* set_env_command = set_command->add_subcommand("env", "Variables of all containers: set env deployment/NAME NAME=VALUE… NAME-…");
  set_env_command->add_option("changes", changes, "deployment/NAME, then NAME=VALUE to set or NAME- to remove")->required();
  set_env_command->callback([&] {
    // "deployment web A=B" as well as "deployment/web A=B"
    size_t words_of_target = changes.front().find('/') == std::string::npos ? 2 : 1;
    if (changes.size() <= words_of_target) throw Error(ErrorKind::invalid_input, "set env needs variables", "As in: flox kube set env deployment/web NAME=VALUE");
    const std::string workload = join_target({changes.begin(), changes.begin() + static_cast<long>(words_of_target)});
    set_env(open_session(common), workload, {changes.begin() + static_cast<long>(words_of_target), changes.end()});
  });

  int replicas = -1;
  auto* scale_command = app.add_subcommand("scale", "Change how many pods a Deployment has");
  scale_command->add_option("workload", target, "deployment/NAME")->required();
  scale_command->add_option("--replicas", replicas, "How many")->required()->check(CLI::Range(0, 10000));
  scale_command->callback([&] { scale(open_session(common), join_target(target), replicas); });

  auto* describe_command = app.add_subcommand("describe", "Everything that is known of a pod, with its events");
  describe_command->add_option("pod", target, "POD")->required();
  describe_command->callback([&] { describe(open_session(common), join_target(target)); });

  auto* supervise_command = app.add_subcommand("supervise", "Keep what was played running (started by play)");
  supervise_command->callback([&] {
    const Session session = open_session(common);
    supervise(session.state, session.settings);
  });

  std::vector<std::string> own(words.begin(), separator);
  std::reverse(own.begin(), own.end());  // as CLI11 wants it
  try {
    app.parse(own);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : exit_failure;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    print_error(error);
    return exit_failure;
  }
}
