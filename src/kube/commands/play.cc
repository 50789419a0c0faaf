// play, down, set env and scale: the verbs that change what should run.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/os/file.h"
#include "base/printable.h"
#include "kube/commands/commands.h"
#include "kube/controllers/reconcile.h"
#include "kube/cri/cri.h"
#include "kube/pods/admission.h"
#include "kube/reading/input.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;
using Waited = std::map<ObjectKey, std::string>;  // workload → generation

constexpr auto poll_interval = std::chrono::milliseconds(100);

std::string new_generation() { return random_uid(); }

bool makes_pods(const ObjectKey& key) {
  return key.kind == "Deployment" || key.kind == "Job" || key.kind == "Pod";
}

// "deployment.apps/web", as kubectl names objects.
std::string kubectl_name(const Object& object) {
  std::string kind = object.kind;
  for (char& c : kind) c = static_cast<char>(std::tolower(c));
  const size_t slash = object.api_version.find('/');
  const std::string group = slash == std::string::npos ? "" : "." + object.api_version.substr(0, slash);
  return fmt::format("{}{}/{}", kind, group, object.metadata.name);
}

std::string default_namespace(const Session& session) {
  return session.namespace_.empty() ? "default" : session.namespace_;
}

void check_namespace(const Session& session, const std::vector<Manifest>& manifests) {
  for (const auto& manifest : manifests) {
    const std::string& given = manifest.object.metadata.namespace_;
    if (!session.namespace_.empty() && !given.empty() && given != session.namespace_)
      fail(ErrorKind::invalid_input, "{} is in the namespace {}, not in {} as given with -n",
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

// Variables of the command line become part of JSON.
void check_variable(const std::string& name, const std::string& value) {
  try {
    json(name + value).dump();
  } catch (const json::exception&) {
    fail(ErrorKind::invalid_input, "a variable that was given is not UTF-8");
  }
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

// A container without a readiness probe counts as ready from its first moment. So that one which ends at once
// is not taken for a success, such pods must stay ready for a little longer than it takes to notice an end.
constexpr auto settling_time = std::chrono::milliseconds(1300);

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

// One line for every change of a pod that is waited for.
class Progress {
 public:
  void show(const PodStatus& pod) {
    const std::string text =
        fmt::format("{}{}", status_word(pod), pod.ready() && status_word(pod) == "Running" ? ", ready" : "");
    std::string line = text;
    if (const std::string what = pod.ready() || pod.terminating ? "" : trouble(pod); !what.empty())
      line += ": " + what;
    std::string& last = lines_[pod.uid];
    if (line == last) return;
    last = line;
    fmt::print(stderr, "pod {}: {}\n", pod.name, printable_lines(line));
  }

 private:
  std::map<std::string, std::string> lines_;
};

std::vector<PodStatus> pods_of(const json& status, const Waited& waited) {
  std::vector<PodStatus> pods;
  for (const auto& item : status.at("pods")) {
    PodStatus pod = pod_status_from_json(item);
    if (waited.contains({pod.owner_kind, pod.namespace_, pod.owner_name})) pods.push_back(std::move(pod));
  }
  return pods;
}

std::string container_ids(const std::vector<PodStatus>& pods) {
  std::string ids;
  for (const auto& pod : pods)
    for (const auto& container : pod.containers) ids += container.id + " ";
  return ids;
}

std::string why_not(const std::vector<PodStatus>& pods) {
  std::string text;
  for (const auto& pod : pods) {
    if (pod.ready() || pod.phase == "Succeeded" || pod.terminating) continue;
    const std::string what = trouble(pod);
    text += fmt::format("\n  pod {}: {}{}{}", pod.name, status_word(pod), what.empty() ? "" : ": ", what);
  }
  return text;
}

void wait_until_complete(const Session& session, const Waited& waited, bool settle,
                         std::chrono::seconds timeout) {
  const auto deadline = Clock::now() + timeout;
  Clock::time_point incomplete_at = Clock::now();  // when it was last seen so, or with other containers
  std::string running;
  int supervisors = 0;
  Progress progress;
  while (true) {
    const json status = session.state.status();
    const std::vector<PodStatus> pods = pods_of(status, waited);
    for (const auto& pod : pods) progress.show(pod);
    size_t complete = 0;
    for (const auto& item : status.at("workloads")) {
      const WorkloadStatus workload = workload_status_from_json(item);
      const auto found = waited.find(workload.key);
      if (found == waited.end() || found->second != workload.generation) continue;
      complete += workload.complete;
      if (workload.failed)
        throw Error(ErrorKind::unavailable,
                    fmt::format("{} has failed{}{}{}", to_string(workload.key),
                                workload.message.empty() ? "" : ": ", workload.message, why_not(pods)),
                    "`flox kube describe POD` and `flox kube logs POD` tell more.");
    }
    const std::string now_running = container_ids(pods);
    if (complete < waited.size() || now_running != running) incomplete_at = Clock::now();
    running = now_running;
    if (complete == waited.size() && (!settle || Clock::now() - incomplete_at > settling_time)) return;
    for (const auto& pod : pods)
      if (pod.permanent && !pod.terminating)
        throw Error(ErrorKind::unavailable,
                    fmt::format("{} {} cannot run:{}", pod.owner_kind, pod.owner_name, why_not(pods)),
                    "Nothing was undone: play what is missing, and the pods start by themselves; or `flox "
                    "kube down`.");
    // One that was killed, perhaps just while it was asked for, is replaced; one that keeps ending is not.
    if (!supervisor_runs(session.state)) {
      if (++supervisors > 3)
        throw Error(ErrorKind::unavailable, "the supervisor has ended",
                    "Its log is " + session.state.supervisor_log().string());
      ensure_supervisor(session.state, session.settings);
    }
    if (Clock::now() > deadline)
      throw Error(ErrorKind::unavailable,
                  fmt::format("not ready after {} s:{}", timeout.count(), why_not(pods)),
                  "The pods are still being tried: `flox kube ps` and `flox kube describe POD` tell more. "
                  "Wait longer with --timeout.");
    std::this_thread::sleep_for(poll_interval);
  }
}

// Waits until no pod of these workloads (all: of any) is left, and with all of them the supervisor.
void wait_until_gone(const Session& session, const Waited& removed, bool all, std::chrono::seconds timeout) {
  const auto deadline = Clock::now() + timeout;
  Progress progress;
  while (true) {
    const json status = session.state.status();
    std::vector<PodStatus> pods;
    for (const auto& item : status.at("pods")) {
      PodStatus pod = pod_status_from_json(item);
      if (all || removed.contains({pod.owner_kind, pod.namespace_, pod.owner_name}))
        pods.push_back(std::move(pod));
    }
    for (const auto& pod : pods) progress.show(pod);
    if (pods.empty() && !(all && supervisor_runs(session.state))) return;
    if (!pods.empty() && !supervisor_runs(session.state))
      ensure_supervisor(session.state, last_settings(session.state));
    if (Clock::now() > deadline)
      throw Error(ErrorKind::unavailable,
                  fmt::format("{} pods are not gone after {} s", pods.size(), timeout.count()),
                  "They are still being taken down: look with `flox kube ps`, the supervisor's log is " +
                      session.state.supervisor_log().string());
    std::this_thread::sleep_for(poll_interval);
  }
}

StoredObject find_workload(const Session& session, const std::string& target,
                           const std::vector<std::string>& kinds) {
  const size_t slash = target.find('/');
  std::string kind = slash == std::string::npos ? "" : target.substr(0, slash);
  const std::string name = slash == std::string::npos ? target : target.substr(slash + 1);
  if (kind == "deployments" || kind == "deploy" || kind == "deployment.apps") kind = "deployment";
  std::vector<StoredObject> found;
  for (auto& object : session.state.objects()) {
    std::string lower = object.key.kind;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    if (object.key.name != name || lower != kind ||
        std::find(kinds.begin(), kinds.end(), lower) == kinds.end())
      continue;
    if (!session.namespace_.empty() && object.key.namespace_ != session.namespace_) continue;
    found.push_back(std::move(object));
  }
  if (found.empty())
    throw Error(ErrorKind::not_found, fmt::format("no {} has been played", target),
                fmt::format("Write it as {}/NAME; name its namespace with -n.", kinds.front()));
  if (found.size() > 1)
    fail(ErrorKind::invalid_input, "{} is in several namespaces: give -n NAMESPACE", target);
  return found.front();
}

}  // namespace

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

void down(const Session& session, const DownOptions& options) {
  const bool some = !options.files.empty() || !options.kustomizations.empty();
  if (!options.all && !some)
    throw Error(ErrorKind::invalid_input, "down needs to know what",
                "Name the manifests that were played, or use --all.");
  std::set<ObjectKey> chosen;
  if (some)
    for (auto& key : read_input_keys(options.files, options.kustomizations, default_namespace(session)))
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

void set_env(const Session& session, const std::string& workload, const std::vector<std::string>& changes) {
  const FileLock lock = session.state.lock();
  StoredObject object = find_workload(session, workload, {"deployment", "job", "pod"});
  for (const auto& change : changes) {
    check_variable(change, "");
    const size_t equals = change.find('=');
    if (equals != std::string::npos && equals > 0)
      object.set_env[change.substr(0, equals)] = change.substr(equals + 1);
    else if (change.size() > 1 && change.ends_with("-"))
      object.set_env[change.substr(0, change.size() - 1)] = std::nullopt;
    else
      fail(ErrorKind::invalid_input, "{}: write NAME=VALUE to set a variable, NAME- to remove it", change);
  }
  object.generation = new_generation();
  session.state.save(object);
  ensure_supervisor(session.state, last_settings(session.state));
  fmt::print("{} env updated\n", kubectl_name(read_object(object.document, workload)));
}

void scale(const Session& session, const std::string& workload, int replicas) {
  const FileLock lock = session.state.lock();
  StoredObject object = find_workload(session, workload, {"deployment"});
  object.document["spec"]["replicas"] = replicas;
  object.generation = new_generation();
  session.state.save(object);
  ensure_supervisor(session.state, last_settings(session.state));
  fmt::print("{} scaled\n", kubectl_name(read_object(object.document, workload)));
}

}  // namespace flox::kube
