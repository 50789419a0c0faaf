// flox-kube, run as `flox kube`: Kubernetes manifests on this machine's containerd.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/settings/options.h"
#include "base/settings/read.h"
#include "kube/commands/commands.h"
#include "kube/settings.h"

namespace {

using namespace flox;
using namespace flox::kube;

struct CommonOptions {
  KubeSettings settings;
  std::string namespace_;
};

// Command line, then variables, then what the supervisor of this state directory runs with, then the
// defaults.
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

StringMap read_environment(const std::vector<std::string>& variables) {
  StringMap map;
  for (const auto& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0)
      fail(ErrorKind::invalid_input, "--env {}: write NAME=VALUE", variable);
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

// What an option --timeout says.
std::chrono::seconds read_timeout(const std::string& text) {
  return in_context("--timeout", [&] { return parse_duration(text); });
}

const char* examples = R"(Examples:
  flox kube play deploy/base/*.yaml                    what `kubectl apply -f` does on a cluster
  flox kube play -k deploy/overlays/avx2               a kustomize overlay
  flox kube play --env AWS_ENDPOINT_URL=http://10.88.0.1:5566 app.yaml
  flox kube ps -n ml-workloads
  flox kube logs -f deployment/ticket-processor --tail 50
  flox kube exec POD -- /bin/sh -c 'ls /nix/store | wc -l'
  flox kube set env deployment/ticket-processor FLOX_PACKAGE_VERSION=0.0.9
  flox kube down --all)";

// Each adds its verb to the program; the verb's callback does the work.

void add_play(CLI::App& app, const CommonOptions& common) {
  struct Options {
    PlayOptions play;
    std::vector<std::string> variables;
    std::string timeout = "120s";
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("play", "Run manifests, or bring what runs in line with them");
  verb->add_option("files", options->play.files, "Files, directories, or - for standard input");
  verb->add_option("-k,--kustomize", options->play.kustomizations, "Directory with a kustomization.yaml")
      ->allow_extra_args(false);
  verb->add_option("--env", options->variables,
                   "NAME=VALUE for every container of what is played: stands in for what a cluster injects")
      ->allow_extra_args(false);
  verb->add_option("--ignore-kind", options->play.ignored_kinds,
                   "Leave out objects of this kind, such as a NetworkPolicy, which would be refused")
      ->allow_extra_args(false);
  verb->add_flag("--wait,!--no-wait", options->play.wait,
                 "Wait until all pods are ready and Jobs done (default)");
  verb->add_option("--timeout", options->timeout, "How long to wait (default 120s)");
  verb->callback([options, &common] {
    options->play.environment = read_environment(options->variables);
    options->play.timeout = read_timeout(options->timeout);
    if (options->play.files.empty() && options->play.kustomizations.empty())
      throw Error(ErrorKind::invalid_input, "play needs manifests",
                  "Name files or directories, - for standard input, or -k DIR.");
    play(open_session(common), options->play);
  });
}

void add_down(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<DownOptions>();
  auto timeout = std::make_shared<std::string>("120s");
  auto* verb = app.add_subcommand("down", "End what was played and remove it");
  verb->add_option("files", options->files, "The manifests that were played");
  verb->add_option("-k,--kustomize", options->kustomizations, "Directory with a kustomization.yaml")
      ->allow_extra_args(false);
  verb->add_flag("--all", options->all, "Everything");
  verb->add_flag("--volumes", options->volumes, "Also the data of their PersistentVolumeClaims");
  verb->add_option("--timeout", *timeout, "How long to wait (default 120s)");
  verb->callback([options, timeout, &common] {
    options->timeout = read_timeout(*timeout);
    down(open_session(common), *options);
  });
}

void add_ps(CLI::App& app, const CommonOptions& common) {
  auto as_json = std::make_shared<bool>(false);
  auto* verb = app.add_subcommand("ps", "List pods");
  verb->add_flag("--json", *as_json, "As JSON, with everything that is known of them");
  verb->callback([as_json, &common] { ps(open_session(common), *as_json); });
}

void add_logs(CLI::App& app, const CommonOptions& common) {
  struct Options {
    LogsOptions logs;
    std::vector<std::string> target;
    long tail = -1;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("logs", "Show what containers print");
  verb->add_option("target", options->target, "POD, deployment/NAME or job/NAME");
  verb->add_option("-l,--selector", options->logs.selector, "All pods with these labels: app=web,…");
  verb->add_option("-c,--container", options->logs.container, "Container (default: the first)");
  verb->add_flag("-f,--follow", options->logs.follow, "Go on until the pod ends");
  verb->add_option("--tail", options->tail, "Only the last so many lines (default -1: all)");
  verb->add_flag("--timestamps", options->logs.timestamps, "With the time of each line");
  verb->callback([options, &common] {
    options->logs.target = join_target(options->target);
    if (options->logs.target.empty() == options->logs.selector.empty())
      throw Error(ErrorKind::invalid_input, "logs needs either a pod or a selector",
                  "As in: flox kube logs deployment/NAME, or: flox kube logs -l app=NAME");
    if (options->tail >= 0) options->logs.tail = static_cast<size_t>(options->tail);
    logs(open_session(common), options->logs);
  });
}

struct ExecOptions {
  std::vector<std::string> target;
  std::string container;
  bool interactive = false, tty = false;
};

[[noreturn]] void refuse_terminal(const Session& session, const ExecOptions& options,
                                  const std::vector<std::string>& command) {
  const PodStatus pod = find_pod(session, join_target(options.target));
  throw Error(ErrorKind::unavailable, "exec has no input and no terminal here",
              fmt::format("Leave out -i and -t; or: ctr -a {} -n k8s.io tasks exec -t --exec-id shell {} {}",
                          session.settings.endpoint.substr(7), find_container(pod, options.container).id,
                          fmt::join(command, " ")));
}

// `command` is what stood behind "--"; the command's exit code goes to `exit_code`.
void add_exec(CLI::App& app, const CommonOptions& common, std::vector<std::string> command, int& exit_code) {
  auto options = std::make_shared<ExecOptions>();
  auto* verb =
      app.add_subcommand("exec", "Run a command in a container: exec POD [-c CONTAINER] -- COMMAND…");
  verb->add_option("pod", options->target, "POD or deployment/NAME")->required();
  verb->add_option("-c,--container", options->container, "Container (default: the first)");
  verb->add_flag("-i,--stdin", options->interactive, "Not supported: give the command its input");
  verb->add_flag("-t,--tty", options->tty, "Not supported: give the command a terminal");
  verb->callback([options, &common, command, &exit_code]() mutable {
    const Session session = open_session(common);
    if (options->target.size() > 1 &&
        command.empty()) {  // without "--", as long as the command has no options
      command.assign(options->target.begin() + 1, options->target.end());
      options->target.resize(1);
    }
    if (command.empty())
      throw Error(ErrorKind::invalid_input, "exec needs a command", "As in: flox kube exec POD -- ls -l /");
    if (options->interactive || options->tty) refuse_terminal(session, *options, command);
    exit_code = exec(session, join_target(options->target), options->container, command);
  });
}

void add_set(CLI::App& app, const CommonOptions& common) {
  auto words = std::make_shared<std::vector<std::string>>();
  auto* verb = app.add_subcommand("set", "Change what was played")->require_subcommand(1);
  auto* env =
      verb->add_subcommand("env", "Variables of all containers: set env deployment/NAME NAME=VALUE… NAME-…");
  env->add_option("changes", *words, "deployment/NAME, then NAME=VALUE to set or NAME- to remove")
      ->required();
  env->callback([words, &common] {
    // "deployment web A=B" as well as "deployment/web A=B"
    const long names = words->front().find('/') == std::string::npos ? 2 : 1;
    if (static_cast<long>(words->size()) <= names)
      throw Error(ErrorKind::invalid_input, "set env needs variables",
                  "As in: flox kube set env deployment/web NAME=VALUE");
    const auto changes = words->begin() + names;
    set_env(open_session(common), join_target({words->begin(), changes}), {changes, words->end()});
  });
}

void add_scale(CLI::App& app, const CommonOptions& common) {
  struct Options {
    std::vector<std::string> target;
    int replicas = 0;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("scale", "Change how many pods a Deployment has");
  verb->add_option("workload", options->target, "deployment/NAME")->required();
  verb->add_option("--replicas", options->replicas, "How many")->required()->check(CLI::Range(0, 10000));
  verb->callback(
      [options, &common] { scale(open_session(common), join_target(options->target), options->replicas); });
}

void add_describe(CLI::App& app, const CommonOptions& common) {
  auto target = std::make_shared<std::vector<std::string>>();
  auto* verb = app.add_subcommand("describe", "Everything that is known of a pod, with its events");
  verb->add_option("pod", *target, "POD")->required();
  verb->callback([target, &common] { describe(open_session(common), join_target(*target)); });
}

void add_supervise(CLI::App& app, const CommonOptions& common) {
  auto* verb = app.add_subcommand("supervise", "Keep what was played running (started by play)");
  verb->callback([&common] {
    const Session session = open_session(common);
    supervise(session.state, session.settings);
  });
}

int run(int argc, char** argv) {
  // What stands behind "--" is a command for `exec`, not for us.
  const std::vector<std::string> words(argv + 1, argv + argc);
  const auto separator = std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> command(separator == words.end() ? separator : separator + 1, words.end());

  CLI::App app{"Runs ordinary Kubernetes manifests on this machine's containerd, without a cluster."};
  app.name("flox kube");
  app.footer(examples);
  app.set_version_flag("--version", FLOX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  SettingGroup* const settings[] = {&common.settings};
  read_variables(settings);
  add_setting_options(app, common.settings);
  app.add_option("-n,--namespace", common.namespace_,
                 "Namespace (default: of play default, of the others all)");
  int exit_code = 0;
  add_play(app, common);
  add_down(app, common);
  add_ps(app, common);
  add_logs(app, common);
  add_exec(app, common, command, exit_code);
  add_describe(app, common);
  add_set(app, common);
  add_scale(app, common);
  add_supervise(app, common);

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
