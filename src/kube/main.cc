// flox-kube, run as `flox kube`: Kubernetes manifests on this machine's containerd.
#include <algorithm>

#include "base/command_line/program.h"
#include "base/command_line/self_description.h"
#include "base/settings/read.h"
#include "kube/commands/commands.h"

namespace flox::kube {
namespace {

constexpr const char* examples = R"(Examples:
  flox kube play deploy/base/*.yaml                    what `kubectl apply -f` does on a cluster
  flox kube play -k deploy/overlays/avx2               a kustomize overlay
  flox kube play --env AWS_ENDPOINT_URL=http://10.88.0.1:5566 app.yaml
  flox kube ps -n ml-workloads
  flox kube logs -f deployment/ticket-processor --tail 50
  flox kube exec POD -- /bin/sh -c 'ls /nix/store | wc -l'
  flox kube set env deployment/ticket-processor FLOX_PACKAGE_VERSION=0.0.9
  flox kube down --all)";

int run(int argc, char** argv) {
  // What stands behind "--" is a command for `exec`, not for us; but to complete it, all of the line is.
  const std::vector<std::string> words(argv + 1, argv + argc);
  const bool completes = !words.empty() && words.front() == "complete-words";
  const auto separator = completes ? words.end() : std::find(words.begin(), words.end(), "--");
  const std::vector<std::string> command(separator == words.end() ? separator : separator + 1, words.end());

  if (asks_for_manual(argc, argv)) keep_declared_settings();
  CLI::App app{"Runs ordinary Kubernetes manifests on this machine's containerd, without a cluster.",
               "flox kube"};
  app.footer(examples);
  app.set_version_flag("-V,--version", FLOX_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  CommonOptions common;
  add_common_options(app, common);
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
  add_self_description(app, {.is_shown = false});
  return run_command_line(app, {words.begin(), separator}, [&exit_code] { return exit_code; });
}

}  // namespace
}  // namespace flox::kube

int main(int argc, char** argv) {
  return flox::run_program([&] { return flox::kube::run(argc, argv); });
}
