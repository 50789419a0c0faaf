// flox kube exec: runs a command in a container.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "base/command_line/program.h"
#include "kube/commands/commands.h"
#include "kube/commands/find_pods.h"
#include "kube/cri/cri.h"

namespace flox::kube {
namespace {

// Returns the command's exit code.
int exec(const Session& session, const std::string& target, const std::string& container_name,
         const std::vector<std::string>& command) {
  const PodStatus pod = find_pod(session, target);
  const ContainerStatus& container = find_container(pod, container_name);
  if (container.state != RunState::running)
    throw Error(
        ErrorKind::unavailable,
        fmt::format("container {} of pod {} is not running: {}", container.name, pod.name, status_word(pod)),
        trouble(pod));
  const ExecResult result =
      connect_cri(session.settings.endpoint)->exec(container.id, command, std::chrono::seconds(0));
  std::cout << result.out << std::flush;
  std::cerr << result.err << std::flush;
  return result.exit_code;
}

struct ExecOptions {
  std::vector<std::string> target;
  std::string container;
  bool interactive = false, tty = false;
};

[[noreturn]] void refuse_terminal(const Session& session, const ExecOptions& options,
                                  const std::vector<std::string>& command) {
  const PodStatus pod = find_pod(session, join_target(options.target));
  throw Error(
      ErrorKind::unavailable, "flox kube exec gives a command neither input nor a terminal",
      fmt::format("Leave out -i and -t, or run: ctr -a {} -n k8s.io tasks exec -t --exec-id shell {} {}.",
                  session.settings.endpoint.substr(7), find_container(pod, options.container).id,
                  fmt::join(command, " ")));
}

}  // namespace

void add_exec(CLI::App& app, const CommonOptions& common, std::vector<std::string> words, int& exit_code) {
  auto options = std::make_shared<ExecOptions>();
  auto* command = app.add_subcommand("exec", "Run a command in a container");
  command->add_option("POD", options->target, "POD or deployment/NAME, then -- and the command")->required();
  command->add_option("-c,--container", options->container, "container (default: the first one)");
  command->add_flag("-i,--stdin", options->interactive, "not supported: give the command its input");
  command->add_flag("-t,--tty", options->tty, "not supported: give the command a terminal");
  command->footer(
      "Exit code: the command's own.\n\n"
      "Examples:\n  flox kube exec POD -- /bin/sh -c 'ls /nix/store | wc -l'\n"
      "  flox kube exec deployment/web -c sidecar -- env");
  command->callback([options, &common, words, &exit_code]() mutable {
    // Without "--", as long as the command has no options.
    if (options->target.size() > 1 && words.empty()) {
      words.assign(options->target.begin() + 1, options->target.end());
      options->target.resize(1);
    }
    if (words.empty())
      fail_usage("flox kube exec: no command is given", "For example: flox kube exec POD -- ls -l /.");
    const Session session = open_session(common);
    if (options->interactive || options->tty) refuse_terminal(session, *options, words);
    exit_code = exec(session, join_target(options->target), options->container, words);
  });
}

}  // namespace flox::kube
