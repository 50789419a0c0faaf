// flox kube play: runs manifests.
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iostream>
#include <map>
#include <memory>
#include <set>

#include "base/command_line/program.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "kube/commands/commands.h"
#include "kube/commands/wait.h"
#include "kube/commands/workloads.h"
#include "kube/cri/cri.h"
#include "kube/pods/admission.h"
#include "kube/reading/input.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

struct PlayOptions {
  std::vector<std::string> files;  // files, directories, "-"
  std::vector<std::string> kustomizations;
  StringMap environment;
  std::vector<std::string> ignored_kinds;  // objects that are left out
  bool wait = true;
  std::chrono::seconds timeout{120};
};

bool makes_pods(const ObjectKey& key) {
  return key.kind == "Deployment" || key.kind == "Job" || key.kind == "Pod";
}

std::string default_namespace(const Session& session) {
  return session.namespace_.empty() ? "default" : session.namespace_;
}

void check_namespace(const Session& session, const std::vector<Manifest>& manifests) {
  for (const auto& manifest : manifests) {
    const std::string& given = manifest.object.metadata.namespace_;
    if (!session.namespace_.empty() && !given.empty() && given != session.namespace_)
      fail(ErrorKind::invalid_input, "{} is in the namespace {}, and -n {} is given",
           to_string(manifest.object.key()), given, session.namespace_);
  }
}

// Kubernetes refuses objects of a namespace that does not exist; here it is only said.
void note_unknown_namespaces(const std::map<ObjectKey, StoredObject>& known,
                             const std::vector<Manifest>& manifests, std::vector<std::string>& notes) {
  std::set<std::string> declared = {"", "default"};
  for (const auto& [key, object] : known)
    if (key.kind == "Namespace") declared.insert(key.name);
  for (const auto& manifest : manifests)
    if (manifest.object.kind == "Namespace") declared.insert(manifest.object.metadata.name);
  for (const auto& manifest : manifests)
    if (declared.insert(manifest.object.metadata.namespace_).second)
      notes.push_back(
          fmt::format("namespace {} has not been played; taken as if it had (a cluster would refuse)",
                      manifest.object.metadata.namespace_));
}

std::map<ObjectKey, StoredObject> stored_objects(const StateDir& state) {
  std::map<ObjectKey, StoredObject> objects;
  for (auto& object : state.objects()) {
    const ObjectKey key = object.key;
    objects[key] = std::move(object);
  }
  return objects;
}

Waited store(const Session& session, const std::vector<Manifest>& manifests, const StringMap& environment,
             std::vector<std::string>& notes) {
  const FileLock lock = session.state.lock();
  std::map<ObjectKey, StoredObject> known = stored_objects(session.state);
  note_unknown_namespaces(known, manifests, notes);
  check_admission(known, manifests);
  Waited waited;
  for (const auto& manifest : manifests) {
    const ObjectKey key = manifest.object.key();
    const bool is_new = !known.contains(key);
    StoredObject& object = known[key];
    const bool changed = is_new || object.document != manifest.json || object.play_env != environment;
    if (changed) {
      object.key = key;
      object.document = manifest.json;
      object.play_env = environment;
      object.generation = new_generation();
      if (is_new) object.created_at = std::time(nullptr);
      read_object(object.effective(), to_string(key));  // what --env makes of it must still be an object
      session.state.save(object);
    }
    std::cout << kubectl_name(manifest.object)
              << (is_new    ? " created"
                  : changed ? " configured"
                            : " unchanged")
              << '\n';
    if (makes_pods(key)) waited[key] = object.generation;
  }
  std::cout.flush();
  return waited;
}

bool must_settle(const std::vector<Manifest>& manifests) {
  auto unprobed = [](const PodSpec& spec) {
    return std::any_of(spec.containers.begin(), spec.containers.end(),
                       [](const auto& container) { return !container.readiness; });
  };
  return std::any_of(manifests.begin(), manifests.end(), [&](const auto& manifest) {
    if (const auto* deployment = std::get_if<Deployment>(&manifest.object.body))
      return unprobed(deployment->pod_template.spec);
    const auto* pod = std::get_if<Pod>(&manifest.object.body);
    return pod && pod->spec.restart_policy == RestartPolicy::always && unprobed(pod->spec);
  });
}

void play(const Session& session, const PlayOptions& options) {
  for (const auto& [name, value] : options.environment) check_variable(name, value);
  std::vector<std::string> notes;
  const ReadOptions reading{default_namespace(session),
                            {options.ignored_kinds.begin(), options.ignored_kinds.end()}};
  const std::vector<Manifest> manifests = read_input(options.files, options.kustomizations, reading, notes);
  check_namespace(session, manifests);
  const bool runs_something = std::any_of(manifests.begin(), manifests.end(),
                                          [](const auto& m) { return makes_pods(m.object.key()); });
  // Before anything is stored: a machine without containerd is not left with objects that nobody runs.
  if (runs_something && !supervisor_runs(session.state)) connect_cri(session.settings.endpoint)->version();
  const Waited waited = store(session, manifests, options.environment, notes);
  std::set<std::string> said;
  for (const auto& note : notes)
    if (said.insert(note).second) fmt::print(stderr, "note: {}\n", printable_lines(note));
  if (runs_something) ensure_supervisor(session.state, session.settings);
  if (options.wait && !waited.empty())
    wait_until_complete(session, waited, must_settle(manifests), options.timeout);
}

StringMap read_environment(const std::vector<std::string>& variables) {
  StringMap map;
  for (const auto& variable : variables) {
    const size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0)
      fail_usage(fmt::format("--env {}: it is not of the form NAME=VALUE", variable));
    map[variable.substr(0, equals)] = variable.substr(equals + 1);
  }
  return map;
}

}  // namespace

void add_play(CLI::App& app, const CommonOptions& common) {
  struct Options {
    PlayOptions play;
    std::vector<std::string> variables;
  };
  auto options = std::make_shared<Options>();
  auto* command = app.add_subcommand("play", "Run manifests, or change what runs to match them");
  command->add_option("FILE", options->play.files, "files, directories, or - for standard input");
  command
      ->add_option("-k,--kustomize", options->play.kustomizations,
                   "directory with a kustomization.yaml; repeatable")
      ->allow_extra_args(false);
  command
      ->add_option("--env", options->variables,
                   "NAME=VALUE to set in every container of the manifests, as a cluster would; repeatable")
      ->allow_extra_args(false);
  command
      ->add_option("--ignore-kind", options->play.ignored_kinds,
                   "kind of objects to skip, such as NetworkPolicy, that would be refused; repeatable")
      ->allow_extra_args(false);
  command->add_flag("--wait,!--no-wait", options->play.wait,
                    "wait until all pods are ready and Jobs complete (default)");
  add_timeout(*command, options->play.timeout);
  command->footer(
      "Examples:\n"
      "  flox kube play deploy/base/*.yaml                    what `kubectl apply -f` does on a cluster\n"
      "  flox kube play -k deploy/overlays/avx2               a kustomize overlay\n"
      "  flox kube play --env AWS_ENDPOINT_URL=http://10.88.0.1:5566 app.yaml");
  command->callback([options, &common] {
    options->play.environment = read_environment(options->variables);
    if (options->play.files.empty() && options->play.kustomizations.empty())
      fail_usage("flox kube play: no manifests are given",
                 "Pass files or directories, - for standard input, or -k DIRECTORY.");
    play(open_session(common), options->play);
  });
}

}  // namespace flox::kube
