// flox kube down: stops and removes what was played.
#include <fmt/format.h>

#include <memory>
#include <set>

#include "base/command_line/program.h"
#include "base/os/file.h"
#include "kube/commands/commands.h"
#include "kube/commands/wait.h"
#include "kube/reading/input.h"

namespace flox::kube {
namespace {

struct DownOptions {
  std::vector<std::string> files, kustomizations;
  bool all = false, volumes = false;
  std::chrono::seconds timeout{120};
};

void down(const Session& session, const DownOptions& options) {
  const bool some = !options.files.empty() || !options.kustomizations.empty();
  std::set<ObjectKey> chosen;
  if (some)
    for (auto& key : read_input_keys(options.files, options.kustomizations,
                                     session.namespace_.empty() ? "default" : session.namespace_))
      chosen.insert(std::move(key));
  Waited removed;
  {
    const FileLock lock = session.state.lock();
    for (const auto& object : session.state.objects()) {
      if (!options.all && !chosen.contains(object.key)) continue;
      session.state.remove(object.key);
      removed[object.key] = object.generation;
      if (options.volumes && object.key.kind == "PersistentVolumeClaim") chosen.insert(object.key);
      fmt::print("{} {} deleted\n", object.key.kind, object.key.name);
    }
  }
  const bool pods_left = !session.state.pods().empty();
  if (pods_left) ensure_supervisor(session.state, last_settings(session.state));
  if (pods_left || supervisor_runs(session.state))
    wait_until_gone(session, removed, options.all && session.state.objects().empty(), options.timeout);
  if (!options.volumes) return;
  const Directory& claims = session.state.claims_directory();
  if (options.all)
    for (const auto& namespace_ : claims.names()) claims.remove(namespace_);
  for (const auto& key : chosen)
    if (key.kind == "PersistentVolumeClaim" && claims.exists(key.namespace_))
      claims.remove(key.namespace_ + "/" + key.name);
}

}  // namespace

void add_down(CLI::App& app, const CommonOptions& common) {
  auto options = std::make_shared<DownOptions>();
  auto* command = app.add_subcommand("down", "Stop and remove what was played");
  command->add_option("FILE", options->files, "the manifests that were played");
  command
      ->add_option("-k,--kustomize", options->kustomizations,
                   "directory with a kustomization.yaml; repeatable")
      ->allow_extra_args(false);
  command->add_flag("--all", options->all, "remove everything");
  command->add_flag("--volumes", options->volumes, "remove the data of PersistentVolumeClaims too");
  add_timeout(*command, options->timeout);
  command->footer("Examples:\n  flox kube down app.yaml\n  flox kube down --all --volumes");
  command->callback([options, &common] {
    if (!options->all && options->files.empty() && options->kustomizations.empty())
      fail_usage("flox kube down: no manifests are given", "Pass the manifests that were played, or --all.");
    down(open_session(common), *options);
  });
}

}  // namespace flox::kube
