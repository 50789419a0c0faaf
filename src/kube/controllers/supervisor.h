// The process that keeps what was played running: watches the state directory's objects, makes and ends pods,
// writes status.json. One runs for a state directory as long as there is something to run.
#pragma once

#include <filesystem>
#include <string>

#include "kube/pods/state_dir.h"

namespace flox::kube {

struct SupervisorSettings {
  std::string endpoint = "unix:///run/containerd/containerd.sock";
  std::string cgroup_parent = "/flox-kube";
};

// Runs until nothing is left to run, or until SIGTERM or SIGINT, which leave the pods running for the next
// supervisor. Throws Error(conflict) if a supervisor runs already.
void supervise(const StateDir& state, const SupervisorSettings& settings);

// Makes sure that a supervisor runs, starting this program again as `PROGRAM supervise …` in the background.
// Throws Error(conflict) if one runs with other settings, Error(unavailable) with the end of its log if it
// ends at once.
void ensure_supervisor(const StateDir& state, const SupervisorSettings& settings);

bool supervisor_runs(const StateDir& state);

// The settings of the supervisor that runs now or ran last; the default ones if none ever did.
SupervisorSettings last_settings(const StateDir& state);

}  // namespace flox::kube
