// The verbs of flox-kube. Each takes its parsed options, prints its results on stdout and its remarks on
// stderr, and throws Error.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kube/controllers/supervisor.h"
#include "kube/pods/pod_status.h"
#include "kube/pods/state_dir.h"

namespace flox::kube {

// What every verb knows.
struct Session {
  StateDir state;
  SupervisorSettings settings;
  std::string namespace_;  // empty: not given
};

struct PlayOptions {
  std::vector<std::string> files;  // files, directories, "-"
  std::vector<std::string> kustomizations;
  StringMap environment;
  std::vector<std::string> ignored_kinds;  // objects that are left out
  bool wait = true;
  std::chrono::seconds timeout{120};
};
void play(const Session& session, const PlayOptions& options);

struct DownOptions {
  std::vector<std::string> files, kustomizations;
  bool all = false, volumes = false;
  std::chrono::seconds timeout{120};
};
void down(const Session& session, const DownOptions& options);

// Changes the variables of all containers of a workload: "NAME=VALUE" sets, "NAME-" removes.
void set_env(const Session& session, const std::string& workload, const std::vector<std::string>& changes);
void scale(const Session& session, const std::string& workload, int replicas);

void ps(const Session& session, bool json);
void describe(const Session& session, const std::string& pod);

struct LogsOptions {
  std::string target;     // a pod, pod/NAME, deployment/NAME or job/NAME; empty with a selector
  std::string selector;   // "app=web,tier=front"
  std::string container;  // empty: the first one
  bool follow = false;
  std::optional<size_t> tail;
  bool timestamps = false;
};
void logs(const Session& session, const LogsOptions& options);

// Returns the command's exit code.
int exec(const Session& session, const std::string& pod, const std::string& container,
         const std::vector<std::string>& command);

// The pods of status.json, of the session's namespace if one is given.
std::vector<PodStatus> all_pods(const Session& session);
// One pod by "NAME", "pod/NAME" or, any of its pods, "deployment/NAME". Throws Error(not_found,
// invalid_input).
PodStatus find_pod(const Session& session, const std::string& target);
// The pods that a target of `logs` stands for: one by its name, all of a workload.
std::vector<PodStatus> find_pods(const Session& session, const std::string& target);
// One of the pod's containers by name; without a name the annotated default or the first. Throws
// Error(not_found).
const ContainerStatus& find_container(const PodStatus& pod, const std::string& name);

}  // namespace flox::kube
